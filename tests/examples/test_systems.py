"""The examples of systems run, and are short enough to be read."""

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "systems"
SCRIPTS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_is_short_and_says_how_it_is_run(script):
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert f"python examples/systems/{script.name} [--smoke]" in text


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs(script, capsys, where_data_are):
    with where_data_are():
        runpy.run_path(str(script))["main"](["--smoke"])
    assert capsys.readouterr().out
