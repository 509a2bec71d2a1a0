"""Schedules in optimizer steps, seen in the batches of a loop."""

import pytest
import torch

import overmix
from overmix.errors import ConfigError
from overmix.switch import Epochs, OffAtStep, OnFromStep, Progress

X, Y = torch.rand(6, 3), torch.arange(6)


def mixed(run, batches, stop=None):
    """Drive a loop with so many batches in each epoch; return which were mixed."""
    seen = []
    for epoch in run:
        for _ in range(epoch.step, batches[epoch.index]):
            _, target = epoch.mix(X, Y)
            seen.append(bool((target.lam < 1).any()))
            if len(seen) == stop:
                return seen, epoch.state_dict()
    return seen


@pytest.mark.parametrize("step", [0, 1, 4, 7, 20])
def test_the_switch_comes_after_so_many_batches_however_long_epochs_are(step):
    batches = [3, 5, 1, 4]
    total = sum(batches)
    off = mixed(Epochs(4, mix=overmix.Mixup(), switch=OffAtStep(step)), batches)
    on = mixed(Epochs(4, mix=overmix.Mixup(), switch=OnFromStep(step)), batches)
    assert off == [at < step for at in range(total)]
    assert on == [not mixed for mixed in off]


@pytest.mark.parametrize("stop", [1, 3, 5, 8, 9])
def test_a_resumed_run_goes_on_counting(stop):
    batches = [3, 5, 1, 4]
    first, state = mixed(Epochs(4, mix=overmix.Mixup(), switch=OffAtStep(7)), batches, stop)
    run = Epochs(4, mix=overmix.Mixup(), switch=OffAtStep(7))
    run.load_state_dict(state)
    assert first + mixed(run, batches) == [at < 7 for at in range(13)]


def test_between_epochs_too():
    run = Epochs(3, mix=overmix.Mixup(), switch=OffAtStep(4))
    for epoch in run:
        for _ in range(3):
            epoch.mix(X, Y)
        if epoch.index == 0:
            state = run.state_dict()
            break
    again = Epochs(3, mix=overmix.Mixup(), switch=OffAtStep(4))
    again.load_state_dict(state)
    assert mixed(again, [3, 3, 3]) == [True] + [False] * 5


@pytest.mark.parametrize("step", [-1, 1.5, True, "7", None])
def test_what_is_no_number_of_batches_is_refused(step):
    for kind, field in ((OffAtStep, "off_at_step"), (OnFromStep, "on_from_step")):
        with pytest.raises(ConfigError, match=rf"^{field} = .*: use a number of optimizer steps, an integer >= 0$"):
            kind(step)


def test_nobody_guesses_the_batches():
    with pytest.raises(ConfigError, match=r"^off_at_step = 3: steps may end inside an epoch: "):
        OffAtStep(3).probability(Progress(1, 4))


def test_a_loop_that_knows_its_steps_refuses_a_point_beyond_the_end():
    with pytest.raises(ConfigError, match=r"^off_at_step = 13: use at most 12, the steps of the training$"):
        Epochs(4, mix=overmix.Mixup(), switch=OffAtStep(13), steps_per_epoch=3)
    assert all(mixed(Epochs(4, mix=overmix.Mixup(), switch=OffAtStep(12), steps_per_epoch=3), [3] * 4))
