from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from overmix.report.charts.frame import entry, focus, log_ticks, spread

VALUES = st.lists(st.floats(-50, 50), min_size=1, max_size=8)


@given(VALUES, st.floats(0.01, 5))
def test_spread_keeps_gaps_order_and_mean(values: list[float], gap: float) -> None:
    placed = spread(values, gap)
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(placed)[order]) >= gap - 1e-9)
    assert np.mean(placed) == pytest.approx(np.mean(values), abs=1e-9)


@given(VALUES, st.floats(0.01, 5))
def test_spread_leaves_well_spaced_values_alone(values: list[float], gap: float) -> None:
    spaced = [value + 200 * i for i, value in enumerate(values)]
    assert spread(spaced, gap) == pytest.approx(spaced)


@given(VALUES, st.floats(0.01, 5))
def test_spread_stays_within_bounds_that_have_room(values: list[float], gap: float) -> None:
    placed = spread(values, gap, low=-25, high=25)
    assert min(placed) >= -25
    assert max(placed) <= 25 + 1e-9
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(placed)[order]) >= gap - 1e-9)


def test_spread_moves_as_little_as_possible() -> None:
    values, gap = np.array([1.0, 1.2, 1.3, 4.0, 4.1]), 0.5
    apart = {"type": "ineq", "fun": lambda x: np.diff(x) - gap}
    best = minimize(lambda x: np.sum((x - values) ** 2), values, constraints=[apart], tol=1e-12).x
    assert spread(list(values), gap) == pytest.approx(best, abs=1e-5)


def curve(epoch: np.ndarray, mean: np.ndarray, half: float = 0.0) -> tuple[np.ndarray, ...]:
    return epoch, mean, mean - half, mean + half


EPOCH = np.geomspace(1, 1000, 60)
U = 0.06 + 0.7 / EPOCH + 0.03 * np.clip(np.log(EPOCH / 128), 0, None)


def test_focus_holds_what_follows_the_minimum_and_not_the_start() -> None:
    low, high = focus([curve(EPOCH, U, 0.005)])
    after = U[np.argmin(U) :]
    assert low < after.min() - 0.005
    assert after.max() + 0.005 < high < 0.5 * U[0]


def test_focus_holds_the_last_tenfold_of_a_falling_curve() -> None:
    falling = 0.8 * EPOCH**-0.3
    assert focus([curve(EPOCH, falling)])[1] >= falling[EPOCH >= 100].max()


def test_a_condition_that_failed_does_not_flatten_the_others() -> None:
    failed = np.full(60, 0.9)
    assert focus([curve(EPOCH, U), curve(EPOCH, failed)])[1] < 0.5
    assert focus([curve(EPOCH, failed)])[1] >= 0.9


def test_focus_of_a_constant_has_a_height() -> None:
    low, high = focus([curve(EPOCH, np.zeros(60))])
    assert low == 0 < high


def test_entry_leaves_at_least_the_last_tenfold() -> None:
    late = np.where(EPOCH < 900, 0.9, 0.1)
    assert entry([(EPOCH, late)], top=0.5) == 100
    assert entry([(EPOCH, np.full(60, 0.9))], top=0.5) == 1


@pytest.mark.parametrize(
    ("last", "ticks"), [(1, [1]), (2, [1, 2]), (7, [1, 2, 5, 7]), (1000, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])]
)
def test_log_ticks(last: int, ticks: list[int]) -> None:
    assert log_ticks(1, last) == ticks


def test_last_tick_does_not_touch_the_one_before() -> None:
    assert log_ticks(1, 1024)[-1] == 1000
