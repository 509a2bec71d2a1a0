"""Samples held out for a decision: stratified, and no class is lost."""

import numpy as np
import pytest

from overmix.errors import ConfigError
from overmix.study.data import hold_out


def test_it_divides_the_samples_with_the_shares_of_the_classes():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    rest, held = hold_out(y, 0.2, np.random.default_rng(0))
    assert sorted([*rest, *held]) == list(range(100))
    assert np.bincount(y[held]).tolist() == [10, 6, 4]
    again = hold_out(y, 0.2, np.random.default_rng(0))
    np.testing.assert_array_equal(held, again[1])
    assert not np.array_equal(held, hold_out(y, 0.2, np.random.default_rng(1))[1])


@pytest.mark.parametrize("seed", range(20))
def test_no_class_loses_its_last_sample(seed):
    y = np.array([0] * 12 + [1, 1, 2])
    rest, held = hold_out(y, 0.8, np.random.default_rng(seed))
    assert len(held) == 12
    assert np.bincount(y[rest]).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("y", "share", "says"),
    [
        (
            np.arange(20) % 2,
            0.05,
            r"^schedule.auto.holdout = 0.05: of 20 training samples in 2 classes, shares of 0.1 to 0.9 can",
        ),
        (np.arange(20) % 2, 0.97, r"^schedule.auto.holdout = 0.97: of 20 training samples"),
        (
            np.arange(5),
            0.4,
            r"^schedule.auto.holdout = 0.4: there are too few training samples: use more, or data.val_size",
        ),
    ],
)
def test_what_cannot_be_held_out_is_refused(y, share, says):
    with pytest.raises(ConfigError, match=says):
        hold_out(y, share, np.random.default_rng(0))
