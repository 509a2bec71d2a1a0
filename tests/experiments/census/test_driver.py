"""One seed: forks, twins, and what is written down."""

import numpy as np
import pytest
import torch

from overmix.experiments.census.driver import Training, look_epochs, run_seed
from overmix.experiments.census.rows import ROWS
from overmix.switch import always, off_at


def weights(training):
    return {name: tensor.clone() for name, tensor in training.model.state_dict().items()}


# A schedule with features, momentum and Adam, a loss of its own with a gate, and batches that are relabelled.
@pytest.mark.parametrize("name", ["SKMixup", "AnchorMixup", "GroupedMixCo", "M3Co", "ConfidentMixup"])
def test_a_run_forked_from_the_mixed_one_is_the_run_of_its_own_bit_for_bit(tiny, name):
    row = tiny(name, epochs=4)
    snapshots = {}
    mixed = Training(row.task, 3)
    mixed.run(row.recipe, always(), lambda done: snapshots.setdefault(done, mixed.snapshot()))
    at_the_end = weights(mixed)
    mixed.go_back(snapshots[2])
    mixed.run(row.recipe, off_at(2), start=2)
    alone = Training(row.task, 3)
    alone.run(row.recipe, off_at(2))
    for key, tensor in weights(alone).items():
        assert torch.equal(tensor, weights(mixed)[key])
    assert any(not torch.equal(tensor, at_the_end[key]) for key, tensor in weights(mixed).items())


def test_trainings_with_one_seed_are_twins_and_others_are_not(tiny):
    task = tiny("Mixup-digits").task
    one, twin, other = (Training(task, seed) for seed in (1, 1, 2))
    assert torch.equal(one.data.train.x, twin.data.train.x)
    assert not torch.equal(one.data.train.x, other.data.train.x)
    assert torch.equal(one.data.test.x.shape[0] * torch.ones(1), other.data.test.x.shape[0] * torch.ones(1))
    first = next(iter(one.model.state_dict()))
    assert torch.equal(weights(one)[first], weights(twin)[first])
    assert not torch.equal(weights(one)[first], weights(other)[first])


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
    row, found = seed_of
    conditions = {name.split("/", 1)[1] for name in found if name.startswith("value/")}
    assert conditions == {*(f"off@{epoch}" for epoch in row.grid), "plain contrast", "auto"}
    assert {name.split("/", 1)[1] for name in found if name.startswith("val/")} == conditions
    assert float(found["seconds"]) > 0


def test_the_curves_end_where_their_conditions_do(seed_of):
    row, found = seed_of
    for curve, condition in (("on", f"off@{row.grid[-1]}"), ("erm", row.erm)):
        assert found[f"curve/{curve}"].shape == found["looks"].shape
        assert found[f"curve/{curve}"][-1] == found[f"value/{condition}"]
        np.testing.assert_array_equal(found[f"curve_wrong/{curve}"][-1], found[f"wrong/{condition}"])


def test_the_error_is_the_share_of_wrong_samples(seed_of):
    _, found = seed_of
    for name in ("auto", "off@0"):
        assert found[f"wrong/{name}"].mean() == pytest.approx(float(found[f"value/{name}"]))


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_runs_is_finite_and_repeats(row, tiny):
    short = tiny(row.name, epochs=6)
    one, again = run_seed(short, 5), run_seed(short, 5)
    assert one.keys() == again.keys()
    for name, value in one.items():
        if name != "seconds":
            np.testing.assert_array_equal(value, again[name], err_msg=name)
            assert np.isfinite(value).all(), name
