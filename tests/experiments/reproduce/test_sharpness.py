import numpy as np
import pytest

from overmix.experiments.reproduce.catalogue import study_spec
from overmix.experiments.reproduce.chart import picture_chart
from overmix.experiments.reproduce.gradients import _Around, sharpness
from overmix.experiments.reproduce.parts import Parts
from overmix.experiments.reproduce.weights import Snapshots


def test_the_rise_is_that_at_the_distance_above_the_solution():
    steps = np.linspace(-1, 1, 21)
    around = _Around(np.array([5 + steps**2, 1 + 8 * steps**2]), np.array([1.0, 3.0]), np.array([4.0, 4.0]))
    assert around.rise == pytest.approx([0.25, 2.0])
    row = around.row("here")
    assert row["rise"] == pytest.approx(1.125)
    assert (row["top_eigenvalue"], row["trace"], row["trace_ci"]) == (2.0, 4.0, (4.0, 4.0))
    low, high = row["top_eigenvalue_ci"]
    assert low < 2 < high


@pytest.mark.parametrize(("error", "turn"), [([0.5, 0.1, 0.3, 0.4], 2), ([0.5, 0.4, 0.3, 0.1], 4)])
def test_the_turn_is_never_the_end_itself(error, turn):
    looks = np.array([1, 2, 4, 8])
    found = Snapshots("Mixup", 0, [], None, [1, 2, 4, 8], [], looks, np.tile(error, (3, 1)), None)
    assert found.turn() == turn


@pytest.mark.slow
def test_early_and_late_stand_beside_plain_training_and_on_one_scale(tmp_path):
    found = sharpness(study_spec("landscape", "digits-mlp", "smoke"), Parts(tmp_path, {})).to_dict()
    early, late, plain_early, plain_late = found["rows"]
    when = [row["name"].split("epoch ")[1].split()[0] for row in found["rows"]]
    assert when[0] != when[1] == "12"
    assert when[2:] == when[:2]
    assert [row["name"].startswith("ERM") for row in found["rows"]] == [False, False, True, True]
    for row in (early, late, plain_early, plain_late):
        assert row["trace"] >= row["top_eigenvalue"] / 2 > 0
        assert row["trace_ci"][0] < row["trace"] < row["trace_ci"][1]
    assert early["trace"] != plain_early["trace"]
    first, last = (p for p in found["pictures"] if p["name"].startswith("surface"))
    assert first["top"] == last["top"]
    assert first["loss"] != last["loss"]
    grid = np.array([row.split() for row in last["loss"]], dtype=float)
    assert grid.shape == (21, 21)
    assert grid[10, 10] == 0
    assert max(float(x) for p in (first, last) for row in p["loss"] for x in row.split()) == first["top"]
    chart = picture_chart("landscape", found | {"key": "digits-mlp"}, last)
    assert chart.name == "digits-mlp-surface-late"
    assert chart.spec["title"]["subtitle"] == "landscape, digits-mlp, seed 0"
    assert len(chart.spec["data"]["values"]) == 441
