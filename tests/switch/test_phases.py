"""Phases: one recipe after another, in the batches themselves."""

import json

import pytest
import torch

import overmix
from overmix.errors import ConfigError
from overmix.recipes import CutMix, Mixup
from overmix.switch import Epochs, Phases

MIXUP, CUTMIX = Mixup(alpha=1.0), CutMix(alpha=1.0)
X, Y = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 4


def batches(mix, state=None, epochs=10, stop=None, **settings):
    run = Epochs(epochs, mix=mix, **settings)
    if state is not None:
        run.load_state_dict(state)
    found = {}
    for epoch in run:
        found[epoch.index] = [epoch.mix(X, Y) for _ in range(2)]
        if epoch.index == stop:
            return found, run.state_dict()
    return found, run


def assert_same(one, other):
    for (x, target), (x_other, target_other) in zip(one, other, strict=True):
        torch.testing.assert_close(x, x_other, rtol=0, atol=0)
        torch.testing.assert_close(target.lam, target_other.lam, rtol=0, atol=0)


@pytest.fixture
def three():
    return Phases([(0, MIXUP), (0.3, CUTMIX), (8, None)])


def test_each_epochs_batches_are_those_of_its_own_recipe(three):
    found, _ = batches(three)
    alone = {"mixup": batches(MIXUP)[0], "cutmix": batches(CUTMIX)[0], "erm": batches(MIXUP, switch=overmix.never())[0]}
    wanted = ["mixup"] * 3 + ["cutmix"] * 5 + ["erm"] * 2
    for epoch, name in enumerate(wanted):
        assert_same(found[epoch], alone[name][epoch])
    assert not torch.equal(found[2][0][0], alone["cutmix"][2][0][0])


def test_each_epoch_has_the_recipe_of_its_batches(three):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
    for epoch in Epochs(10, mix=three):
        wanted = MIXUP if epoch.index < 3 else CUTMIX
        plan = epoch.plan(X, Y)
        assert (plan is None) == (epoch.index >= 8)
        assert plan is None or epoch.recipe is wanted
        loss = epoch.recipe.objective(model, X, Y, plan)
        expected = (
            torch.nn.functional.cross_entropy(model(X), Y) if plan is None else wanted.objective(model, X, Y, plan)
        )
        assert torch.equal(loss, expected)
    with pytest.raises(ConfigError, match=r"^mix = None: this run has no recipe"):
        _ = next(iter(Epochs(2))).recipe


def test_a_switch_beside_it_turns_all_of_it_off(three):
    found, _ = batches(three, switch=overmix.off_at(5))
    assert [float(found[e][0][1].lam.min()) < 1 for e in range(10)] == [True] * 5 + [False] * 5


def test_a_resumed_run_is_in_the_same_phase(three):
    whole, _ = batches(three)
    for stop in (1, 2, 5, 8):
        _, state = batches(three, stop=stop)
        rest, _ = batches(three, json.loads(json.dumps(state)))
        assert list(rest) == list(range(stop + 1, 10))
        for epoch, own in rest.items():
            assert_same(own, whole[epoch])
    with pytest.raises(ConfigError, match=r"^mix = "):
        batches(MIXUP, state)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([], r"^phases = \(\): begin at 0, with one recipe or more"),
        ([(1, MIXUP)], "begin at 0"),
        ([(0, None)], "one recipe or more"),
        ([(0, MIXUP), (0.5, "CutMix")], r"^phases\[1\] = 'CutMix': give a recipe, or None"),
        ([(0, MIXUP), (-1, CUTMIX)], r"^phases\[1\] = -1: use an epoch \(128\) or a share"),
        ([(0, MIXUP), (1.0, CUTMIX)], r"^phases\[1\] = 1.0: it would never begin"),
        ([MIXUP, CUTMIX], "give pairs of start and recipe"),
        (MIXUP, "give pairs of start and recipe"),
    ],
)
def test_phases_that_cannot_be_are_refused(parts, says):
    with pytest.raises(ConfigError, match=says):
        Phases(parts)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([(0, MIXUP), (0.5, CUTMIX), (4, None)], r"^phases\[2\] = 4: let it begin after epoch 5: there are 10 epochs"),
        ([(0, MIXUP), (0.05, CUTMIX)], r"^phases\[1\] = 0.05: let it begin after epoch 0: there are 10 epochs"),
        ([(0, MIXUP), (12, CUTMIX)], r"^phases\[1\] = 12: let it begin earlier: there are 10 epochs"),
    ],
)
def test_phases_that_do_not_fit_the_training_are_refused_when_it_is_known(parts, says):
    with pytest.raises(ConfigError, match=says):
        Epochs(10, mix=Phases(parts))
