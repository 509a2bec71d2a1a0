from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.diagnose import smooth, turning_epoch
from overmix.diagnose.turning import bandwidth_of, log_position, smoothing_rows
from overmix.errors import DataError

grids = st.lists(st.integers(1, 100_000), min_size=3, max_size=60, unique=True).map(lambda g: np.array(sorted(g)))


def local_linear_oracle(epochs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weighted least squares, one regression per epoch, as the definition says."""
    u = np.log(epochs)
    h = min(0.25, (u[-1] - u[0]) / 16)
    out = []
    for at in u:
        root = np.exp(-0.25 * ((u - at) / h) ** 2)
        design = np.stack([np.ones_like(u), u - at], axis=1)
        out.append(np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0][0])
    return np.array(out)


def test_smooth_is_weighted_least_squares() -> None:
    epochs = np.unique(np.geomspace(1, 1000, 50).astype(int))
    values = np.random.default_rng(0).normal(size=len(epochs))
    np.testing.assert_allclose(smooth(epochs, values), local_linear_oracle(epochs, values), atol=1e-6)


@given(grids, st.floats(-5, 5), st.floats(-5, 5))
def test_straight_lines_pass_unchanged_at_both_ends(epochs: np.ndarray, level: float, slope: float) -> None:
    line = level + slope * np.log(epochs)
    np.testing.assert_allclose(smooth(epochs, line), line, atol=1e-5)


@given(grids)
def test_weights_of_every_epoch_sum_to_one(epochs: np.ndarray) -> None:
    position = log_position(epochs.astype(float))
    np.testing.assert_allclose(smoothing_rows(position, position).sum(axis=1), 1.0, atol=1e-9)


def test_noise_shrinks_but_a_lone_epoch_keeps_its_value() -> None:
    epochs = np.concatenate([[1], np.arange(100, 400)])
    noise = np.random.default_rng(0).normal(size=len(epochs))
    smoothed = smooth(epochs, noise)
    assert smoothed[0] == pytest.approx(noise[0], abs=1e-6)
    assert smoothed[1:].std() < 0.3


def test_long_curves_are_smoothed_in_blocks_of_rows() -> None:
    epochs = np.arange(1, 1001)
    values = np.random.default_rng(1).normal(size=(2, 1000))
    position = log_position(epochs.astype(float))
    np.testing.assert_allclose(smooth(epochs, values), values @ smoothing_rows(position, position).T, atol=1e-12)


def test_short_logs_get_a_narrower_kernel() -> None:
    assert bandwidth_of(log_position(np.arange(1.0, 1001.0))) == 0.25
    assert bandwidth_of(log_position(np.arange(1000.0, 2001.0))) == pytest.approx(np.log(2) / 16)


def test_epoch_zero_has_a_place_on_the_log_axis() -> None:
    position = log_position(np.array([0.0, 1.0, 2.0, 3.0]))
    np.testing.assert_allclose(position, np.log([1, 2, 3, 4]))


def test_turning_epoch_of_a_valley() -> None:
    epochs = np.unique(np.geomspace(1, 1024, 60).astype(int))
    valley = (np.log(epochs) - np.log(100)) ** 2
    assert turning_epoch(epochs, valley) == epochs[np.argmin(valley)]
    assert turning_epoch(epochs, np.stack([valley, valley + 1])) == turning_epoch(epochs, valley)


def test_turning_epoch_is_not_fooled_by_one_lucky_epoch() -> None:
    epochs = np.unique(np.geomspace(1, 1024, 60).astype(int))
    valley = 0.1 * (np.log(epochs) - np.log(100)) ** 2
    lucky = valley.copy()
    lucky[-5] = valley.min() - 0.01
    assert 70 < turning_epoch(epochs, lucky) < 140


@given(grids)
def test_constant_curves_turn_at_some_epoch_of_the_grid(epochs: np.ndarray) -> None:
    assert turning_epoch(epochs, np.ones(len(epochs))) in epochs


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("epochs", "values", "message"),
    [
        (np.array([1, 2]), np.ones(3), "2 epochs but 3 values"),
        (np.array([1, 2, 2]), np.ones(3), r"epochs\[2\] = 2 does not exceed epochs\[1\] = 2"),
        (np.array([1, 2, 3]), np.array([1.0, np.nan, 1.0]), r"values\[1\] = nan"),
        (np.array([1, 2, 3]), np.array([[1.0, 1.0, 1.0], [1.0, 1.0, np.inf]]), r"values\[1, 2\] = inf"),
        (np.array([1.0, np.nan, 3.0]), np.ones(3), r"epochs\[1\] = nan"),
        (np.array(["1", "2", "3"]), np.ones(3), "dtype"),
        (np.array([1, 2, 3]), np.array(1.0), "a single number"),
    ],
)
def test_bad_input_is_refused_in_one_line(epochs: np.ndarray, values: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        smooth(epochs, values)
    assert "\n" not in str(caught.value)
