import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from overmix.errors import ConfigError
from overmix.train import LRSchedule


def pytorch_factors(steps, make):
    """What a scheduler of torch.optim, stepped once per iteration, sets a learning rate of 1 to."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(factors)


epochs_and_steps = {"epochs": st.integers(1, 30), "steps": st.integers(1, 7)}


@given(**epochs_and_steps)
def test_constant_is_one(epochs, steps):
    np.testing.assert_array_equal(LRSchedule().factors(epochs, steps), np.ones(epochs * steps))


@given(**epochs_and_steps, milestones=st.sets(st.integers(1, 35), max_size=4), gamma=st.floats(0.05, 1))
def test_multistep_is_that_of_pytorch(epochs, steps, milestones, gamma):
    expected = pytorch_factors(
        epochs * steps,
        lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [m * steps for m in milestones], gamma),
    )
    for order in (sorted(milestones), sorted(milestones, reverse=True)):
        schedule = LRSchedule("multistep", milestones=tuple(order), gamma=gamma)
        np.testing.assert_allclose(schedule.factors(epochs, steps), expected, rtol=1e-12)


@given(**epochs_and_steps)
def test_cosine_is_that_of_pytorch(epochs, steps):
    total = epochs * steps
    expected = pytorch_factors(total, lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=total))
    # PyTorch multiplies its way from step to step, which adds rounding; where its factor is 1e-4, so is its error.
    np.testing.assert_allclose(LRSchedule("cosine").factors(epochs, steps), expected, rtol=1e-9, atol=1e-12)


@given(epochs=st.integers(2, 20), steps=st.integers(2, 6), name=st.sampled_from(["constant", "cosine"]))
def test_warm_up_is_that_of_pytorch(epochs, steps, name):
    total, warm = epochs * steps, steps

    def make(optimizer):
        rising = lr_scheduler.LambdaLR(optimizer, lambda step: 1 / warm + (1 - 1 / warm) * step / (warm - 1))
        if name == "constant":
            after = lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
        else:
            after = lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / (total - warm))) / 2)
        return lr_scheduler.SequentialLR(optimizer, [rising, after], milestones=[warm])

    expected = pytorch_factors(total, make)
    np.testing.assert_allclose(LRSchedule(name, warmup=1).factors(epochs, steps), expected, rtol=1e-12, atol=1e-15)


def test_warm_up_may_be_part_of_an_epoch_or_longer_than_the_training():
    np.testing.assert_allclose(LRSchedule(warmup=0.5).factors(1, 8), [0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(LRSchedule("cosine", warmup=4).factors(2, 2), [1 / 8, 2 / 8, 3 / 8, 4 / 8])


@pytest.mark.parametrize(
    ("schedule", "epochs", "message"),
    [
        (LRSchedule("multistep", milestones=(3, 9)), 9, r"^lr_schedule.milestones = 9: use epochs below 9, the length"),
        (LRSchedule("multistep", milestones=(3, 9)), 10, ""),
        (LRSchedule("multistep", milestones=(0.999,)), 1, ""),
        (LRSchedule("constant", milestones=(3, 9)), 9, ""),  # of another schedule
        (LRSchedule("cosine", warmup=5), 5, r"^lr_schedule.warmup = 5: use fewer epochs than 5, the length"),
        (LRSchedule("cosine", warmup=4.5), 5, ""),
    ],
)
def test_what_would_come_after_the_end_is_refused(schedule, epochs, message):
    if not message:
        schedule.check(epochs)
        return
    with pytest.raises(ConfigError, match=message):
        schedule.check(epochs)


@pytest.mark.parametrize(("share", "epochs", "mark"), [(0.5, 9, 4), (0.29, 100, 29), (0.57, 100, 57), (0.75, 4, 3)])
def test_a_share_is_that_many_whole_epochs_whatever_the_floats_say(share, epochs, mark):
    factors = LRSchedule("multistep", milestones=(share,), gamma=0.1).factors(epochs, steps_per_epoch=2)
    assert int((factors == 1).sum()) == 2 * mark


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "cosin"}, r"^lr_schedule = 'cosin': did you mean cosine\?"),
        ({"gamma": 0.0}, r"^lr_schedule.gamma = 0.0: use a number in \(0, 1\]$"),
        ({"gamma": 1.1}, r"^lr_schedule.gamma = 1.1:"),
        ({"gamma": math.nan}, r"^lr_schedule.gamma = nan:"),
        ({"warmup": -1.0}, r"^lr_schedule.warmup = -1.0: use a number of epochs >= 0$"),
        ({"warmup": math.inf}, r"^lr_schedule.warmup = inf:"),
        ({"milestones": (0,)}, r"^lr_schedule.milestones = 0: use epochs"),
        ({"milestones": (0.5, 1.0)}, r"^lr_schedule.milestones = 1.0:"),
        ({"milestones": (-0.5,)}, r"^lr_schedule.milestones = -0.5:"),
        ({"milestones": (math.nan,)}, r"^lr_schedule.milestones = nan:"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LRSchedule(**settings)
