from __future__ import annotations

import numpy as np
import pytest

from overmix.diagnose.autoregression import RHO_GRID, autoregressive, estimate_noise
from overmix.diagnose.turning import log_position, smoothing_rows

EPOCHS = np.arange(1.0, 401.0)
SMOOTHER = smoothing_rows(log_position(EPOCHS), log_position(EPOCHS))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_noise_is_stationary_and_remembers(rho: float) -> None:
    drawn = autoregressive(np.random.default_rng(0).standard_normal((20_000, 5)), rho)
    correlation = np.corrcoef(drawn.T)
    np.testing.assert_allclose(drawn.std(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(correlation[0], rho ** np.arange(5), atol=0.03)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_memory_is_estimated_at_the_upper_end(rho: float) -> None:
    curves = autoregressive(np.random.default_rng(1).standard_normal((12, 400)), rho)
    found = [estimate_noise(curve, SMOOTHER, 0, np.random.default_rng(2)) for curve in curves]
    assert np.mean([noise.rho >= rho for noise in found]) > 0.7
    assert np.mean([noise.rho for noise in found]) < rho + 0.2
    assert 0.85 < np.median([np.sqrt(np.mean(noise.scale**2)) for noise in found]) < 1.8


@pytest.mark.parametrize("rho", [0.3, 0.6, 0.9])
def test_the_memories_drawn_surround_the_true_one(rho: float) -> None:
    """Over curves, the share of drawn memories that lie below the true one is spread evenly from 0 to 1."""
    curves = autoregressive(np.random.default_rng(3).standard_normal((30, 150)), rho)
    smoother = smoothing_rows(log_position(EPOCHS[:150]), log_position(EPOCHS[:150]))
    shares = []
    for curve in curves:
        noise = estimate_noise(curve, smoother, 0, np.random.default_rng(4))
        shares.append(1 - np.interp(rho, RHO_GRID, noise.below))
    assert 0.3 < np.mean(shares) < 0.65
    assert 0.15 < np.std(shares) < 0.4  # 0.29 if even


def test_a_longer_memory_is_drawn_with_a_larger_variance() -> None:
    """What the smoother lets through of noise that remembers long is little: the same residuals tell of more noise."""
    curve = autoregressive(np.random.default_rng(5).standard_normal((1, 400)), 0.6)[0]
    noise = estimate_noise(curve, SMOOTHER, 0, np.random.default_rng(6))
    assert (np.diff(noise.variances) > 0).all()
    drawn = noise.draw(np.random.default_rng(7), 400)
    lag_one = np.sum(drawn[:, 1:] * drawn[:, :-1], axis=1) / np.sum(drawn**2, axis=1)
    assert np.quantile(lag_one, 0.9) - np.quantile(lag_one, 0.1) > 0.08
    assert np.corrcoef(lag_one, np.log(drawn.var(axis=1)))[0, 1] > 0.3


def test_growing_noise_is_seen() -> None:
    curve = np.linspace(0.2, 2.0, 400) * np.random.default_rng(0).standard_normal(400)
    scale = estimate_noise(curve, SMOOTHER, 0, np.random.default_rng(0)).scale
    assert scale[-1] > 1.5 * scale[0]


def test_a_smooth_curve_has_no_noise() -> None:
    noise = estimate_noise(np.zeros(400), SMOOTHER, 0, np.random.default_rng(0))
    assert not noise.draw(np.random.default_rng(0), 3).any()
