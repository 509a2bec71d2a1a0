from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.special import logsumexp

from overmix.diagnose import diagnose_curve
from overmix.diagnose.autoregression import RHO_GRID, autoregressive, memory_prior
from overmix.diagnose.turn_test import _fit, _models, _shapes, turn_test
from overmix.errors import ConfigError

EPOCHS = np.geomspace(1, 1000, 47)
POSITION = np.log(EPOCHS)
CURVES = autoregressive(np.random.default_rng(0).standard_normal((3, 47)), 0.6)


@pytest.mark.parametrize("rise", [-1, 1])
def test_the_likelihood_is_that_of_the_covariance(rise: int) -> None:
    """By dense matrices and constrained least squares, shape by shape, in place of whitening and cases."""
    shapes, size = _shapes(POSITION), np.linspace(0.5, 1.5, 47)
    models = _models(shapes / size, 1 / size, memory_prior(EPOCHS))
    fitted = _fit(models, CURVES, None)[rise > 0].log
    index, at = np.arange(47), 7
    covariance = RHO_GRID[at] ** np.abs(index[:, None] - index)
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    level = root @ (1 / size)
    expected = []
    for fall, up in (shapes / size).reshape(-1, 2, 47):
        columns = np.stack([level, -level, root @ fall, rise * (root @ up)], axis=1)
        rss = np.array([nnls(columns, root @ curve)[1] ** 2 for curve in CURVES])
        used = [f for f in (fall, up) if f.any()]
        volumes = [_volume(matrix, used, size) for matrix in (covariance, np.eye(47))]
        expected.append(-0.5 * (47 - 3) * np.log(rss / (47 - 3)) - volumes[0] + volumes[1])
    log = logsumexp(expected, axis=0) - 0.5 * np.linalg.slogdet(covariance)[1] + np.log(memory_prior(EPOCHS)[at])
    np.testing.assert_allclose(fitted[at], log, rtol=1e-6)


def _volume(covariance: np.ndarray, used: list[np.ndarray], size: np.ndarray) -> float:
    """``½ log |X'Σ⁻¹X|``; a straight line has the part of the level alone."""
    columns = np.stack([1 / size, *(used if len(used) == 2 else [])], axis=1)
    return float(0.5 * np.linalg.slogdet(columns.T @ np.linalg.solve(covariance, columns))[1])


def test_p_values_of_flat_curves_are_even() -> None:
    rng = np.random.default_rng(1)
    curves = autoregressive(rng.standard_normal((60, 47)), 0.5)
    p = [turn_test(EPOCHS, POSITION, c, c, sampling_error=None, rng=rng).p_value for c in curves]
    assert 0.3 < np.mean(p) < 0.7
    assert np.mean(np.array(p) < 0.05) < 0.15


def test_another_seed_moves_p_little() -> None:
    """Of a curve near the level: 2,000 simulated curves leave a standard error of 0.4 points, 300 would leave 1.1."""
    curve = CURVES[1] + 0.4 * np.clip(POSITION - 3, 0, None)
    p = [
        turn_test(EPOCHS, POSITION, curve, CURVES[1], sampling_error=None, rng=np.random.default_rng(seed)).p_value
        for seed in range(6)
    ]
    assert 0.02 < np.mean(p) < 0.08
    assert np.ptp(p) < 0.02


def test_the_number_of_test_samples_tells_noise_from_a_turn() -> None:
    """A slow rise is a turn where the sampling error is small, and may be noise where it is large."""
    epochs = np.geomspace(1, 1000, 40)
    error = 0.2 + 0.5 / epochs + 0.012 * np.clip(np.log(epochs / 60), 0, None)
    error += 0.004 * autoregressive(np.random.default_rng(3).standard_normal((1, 40)), 0.5)[0]
    many, few = (diagnose_curve(epochs, error, n_test=n).p_value for n in (100_000, 50))
    assert many is not None
    assert few is not None
    assert many < few


@pytest.mark.parametrize(("n_test", "unit"), [(0, "fraction"), (True, "fraction"), (2.5, "fraction"), (100, "value")])
def test_what_is_no_number_of_test_samples_is_refused(n_test, unit) -> None:
    with pytest.raises(ConfigError, match=r"^n_test = "):
        diagnose_curve(np.arange(20), np.linspace(0.5, 0.1, 20), unit=unit, n_test=n_test)
