"""Intervals against SciPy's own, and the numbers that earlier versions gave, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overmix.diagnose.interval import (
    argmin_interval,
    bootstrap_interval,
    degrees_of_freedom,
    t_band,
    t_factor,
    t_interval,
)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.sampled_from([0.9, 0.95, 0.99]))
def test_interval_is_students(values: list[float], level: float) -> None:
    ends = t_interval(np.array(values), level)
    if np.ptp(values) > 1e-6:
        assert ends == pytest.approx(tuple(stats.ttest_1samp(values, 0).confidence_interval(level)))


def test_what_has_no_interval_gets_none() -> None:
    assert t_interval(np.array([0.3])) is None
    assert t_interval(np.array([0.3, np.nan])) is None
    assert t_interval(np.array([0.25, 0.25])) == (0.25, 0.25)
    assert np.isnan(t_band(np.ones((1, 3)))).all()


def test_a_band_is_the_interval_of_each_point_and_all_of_them_keep_their_numbers() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 3))
    ends = np.transpose(t_band(rows)).tolist()
    assert ends == [list(t_interval(column) or ()) for column in rows.T]
    # SciPy's quantiles of Student's t were less exact before 1.14, by a part in a thousand million.
    assert ends[0] == pytest.approx([-1.448868920693193, 0.7698807262252971], rel=1e-8)


def test_intervals_that_hold_together_are_wider() -> None:
    assert t_factor(15) == stats.t.ppf(0.975, 15)
    assert t_factor(15, looks=4) == pytest.approx(stats.t.ppf(1 - 0.05 / 8, 15))
    assert t_factor(float("inf"), 0.9) == pytest.approx(stats.norm.ppf(0.95))


def test_interval_is_centred_on_the_estimate_whatever_the_bias_of_the_draws() -> None:
    draws = 5.0 + np.linspace(-1, 1, 1001)
    low, high = bootstrap_interval(0.0, draws, level=0.9, df=float("inf"))
    assert (low, high) == (pytest.approx(-0.9), pytest.approx(0.9))


def test_degrees_of_freedom() -> None:
    assert degrees_of_freedom([(1.0, 4), (0.0, 100)]) == 4
    assert degrees_of_freedom([]) == float("inf")
    assert degrees_of_freedom([(1.0, 0)]) == float("inf")
    assert 4 < degrees_of_freedom([(1.0, 4), (0.1, 1000)]) < 5


def test_argmin_interval_holds_the_estimate() -> None:
    epochs = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert argmin_interval(epochs, np.full(99, 2), 3, 0.95) == (4.0, 8.0)
    assert argmin_interval(epochs, np.array([1, 2, 3] * 50), 2, 0.95) == (2.0, 8.0)
