"""The script for a GPU still runs where there is none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.mark.slow
def test_it_runs_without_a_gpu_and_all_its_checks_pass(tmp_path):
    command = [sys.executable, str(SCRIPT), "--device", "cpu", "--smoke", "--out", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert set(content["checks"].values()) == {"passed"}
    assert {row["model"] for row in content["stacks"]} == {"mlp", "convnet"}
    assert "overmix CutMix" in content["mixing_us"]
