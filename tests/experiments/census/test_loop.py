"""One seed of a loop's row: twins, and what is written down."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from overmix.experiments.census.loop import look_epochs, run_seed, train
from overmix.experiments.census.loop_row import LoopRow
from overmix.experiments.census.rows import ROWS
from overmix.mix import Streams
from overmix.switch import always, off_at


# Momentum and Adam, a loss of its own with a gate, batches that are relabelled, several modalities.
@pytest.mark.parametrize("name", ["AnchorMixup", "GroupedMixCo", "M3Co", "ConfidentMixup"])
def test_up_to_its_switch_a_switched_run_is_the_one_that_mixes_all_along_bit_for_bit(tiny, name):
    row, seen = tiny(name, epochs=3), {}

    def weights(switch):
        def look(model, done):
            seen[done] = {key: tensor.clone() for key, tensor in model.state_dict().items()}

        train(row.task, row.task.data(Streams(replica_seed=3)), row.recipe, switch, 3, look)
        return dict(seen)

    mixed, switched = weights(always()), weights(off_at(2))
    for key in mixed[2]:
        assert torch.equal(mixed[2][key], switched[2][key])
    assert any(not torch.equal(mixed[3][key], switched[3][key]) for key in mixed[3])


def test_looks_are_log_spaced_with_both_ends():
    looks = look_epochs(600)
    assert (looks[0], looks[-1]) == (1, 600)
    steps = np.diff(np.log(looks))
    assert len(looks) > 15
    assert steps.max() < 0.75


@pytest.fixture(scope="module")
def seed_of(tiny):
    row = tiny("MixCo")
    return row, run_seed(row, 0)


def test_a_seed_has_every_condition(seed_of):
    row, arrays = seed_of
    for kind in ("value", "val"):
        assert {name.split("/", 1)[1] for name in arrays if name.startswith(f"{kind}/")} == set(row.conditions)
    assert float(arrays["seconds"]) > 0


def test_the_curves_end_where_their_conditions_do(seed_of):
    row, arrays = seed_of
    for curve, condition in (("on", f"off@{row.grid[-1]}"), ("erm", row.erm)):
        assert arrays[f"curve/{curve}"].shape == arrays["looks"].shape
        assert arrays[f"curve/{curve}"][-1] == arrays[f"value/{condition}"]
        np.testing.assert_array_equal(arrays[f"curve_wrong/{curve}"][-1], arrays[f"wrong/{condition}"])


def test_the_error_is_the_share_of_wrong_samples(seed_of):
    _, arrays = seed_of
    for name in ("auto", "off@0"):
        assert arrays[f"wrong/{name}"].mean() == pytest.approx(float(arrays[f"value/{name}"]))


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row, LoopRow)], ids=lambda row: row.name)
def test_every_row_runs_is_finite_and_repeats(row, tiny):
    short = replace(tiny(row.name, epochs=4), shares=(1 / 3,))
    one, again = run_seed(short, 5), run_seed(short, 5)
    assert one.keys() == again.keys()
    for name, value in one.items():
        if name != "seconds":
            np.testing.assert_array_equal(value, again[name], err_msg=name)
            assert np.isfinite(value).all(), name
