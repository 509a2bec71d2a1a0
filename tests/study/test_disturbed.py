"""The short forms of the harness that disturbs studies and of the fuzzer; the long ones are in benchmarks/."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BENCHMARKS.exists(), reason="needs a checkout"),
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc"),
]


def run(script, tmp_path, *arguments):
    out = tmp_path / "seen.json"
    command = [sys.executable, str(BENCHMARKS / script), *arguments, "--out", str(out)]
    left = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert left.returncode == 0, left.stdout[-2000:] + left.stderr[-2000:]
    return json.loads(out.read_text())


def test_a_study_that_is_killed_at_random_moments_leaves_the_same_bytes(tmp_path):
    seen = run("kill_and_resume.py", tmp_path, "--kills", "2", "--only-kills")
    assert sum(seen["kills"].values()) == 2
    assert seen["held"]["killed: same bytes"] >= 1


def test_mutated_files_are_read_or_refused_in_one_line(tmp_path):
    seen = run("fuzz.py", tmp_path, "--inputs", "300")
    assert sum(seen["counts"].values()) == 300
    assert {key.partition(": ")[2] for key in seen["counts"]} == {"read", "refused"}
