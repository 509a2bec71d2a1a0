"""The examples of docs/labels.md run, and learn something."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    # What a guess without looking at the sample costs: the commoner answer, a flat softmax, the mean, one of ten.
    ("name", "guess", "decides"),
    [("multi_label", 0.43, True), ("segmentation", 10 / 11, False), ("regression", 77, True), ("tokens", 0.9, False)],
)
def test_the_example_runs(name, guess, decides, capsys):
    run, cost = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](["--smoke"])
    assert cost < guess
    assert len(run.history) == len(run)
    mixed = [seen.mixing for seen in run.history]
    assert mixed == sorted(mixed, reverse=True)
    assert {0.0, 1.0} <= set(mixed)
    if decides:
        assert len(run.decision.probes) == 2
        assert run.decision.switch_at == mixed.index(0.0)
    assert len(Path(EXAMPLES / f"{name}.py").read_text().splitlines()) <= 90
    assert capsys.readouterr().out
