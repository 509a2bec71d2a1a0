"""The power that no test of one curve can exceed, whatever it does: the bounds that stand beside ``detector.py``.

A test that raises at most 5 % false alarms on every curve that only falls raises at most 5 % on any one of them; so
its power is at most that of Neyman's and Pearson's likelihood ratio against that one, and the least favourable one
found gives the bound. With the covariance ``Σ`` of the noise known, that is the falling curve nearest to the U:

    d² = min_m (u - m)' Σ⁻¹ (u - m),   power <= Φ(d - 1.645)

Three bounds, each for a test that knows the true U:

- noise known: against falling curves;
- noise unknown: against falling curves under first-order autoregressive noise of another memory and size, as a test
  must hold there too that is not told them; the ratio is simulated;
- noise known, rise above δ: against curves that fall and then rise by at most δ, at 2.5 %, as the verdict needs a
  two-sided 95 % interval above δ.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from scipy.special import ndtr, ndtri

from overmix.diagnose.autoregression import autoregressive

ALARMS = 0.05
MEMORIES = (0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.985, 0.99)
SIZES = (0.9, 1.0, 1.15)  # of the noise, over that at which the two laws are nearest
N_SIMULATED = 4000
N_TURNS = 24  # epochs at which the curve that rises by δ may turn
STIFF = 1e4  # weight of "the rises add up to δ" in the least squares


def bounds(curve: np.ndarray, rho: float, sd: float, delta: float) -> dict[str, float]:
    """Bounds on the power to see that ``curve`` turns, under noise of memory ``rho`` and standard deviation ``sd``."""
    known = float(ndtr(_nearest_falling(curve, rho)[1] / sd - ndtri(1 - ALARMS)))
    return {
        "bound": known,
        "bound_noise_unknown": min(known, _with_unknown_noise(curve, rho, sd)),
        "bound_above_delta": float(ndtr(_distance_to_small_rise(curve, rho, delta) / sd - ndtri(1 - ALARMS / 2))),
    }


def _whiten(curves: np.ndarray, rho: float) -> np.ndarray:
    """Turn autoregressive noise of unit variance along the first axis into independent one."""
    white = curves.copy()
    white[1:] = (curves[1:] - rho * curves[:-1]) / np.sqrt(1 - rho * rho)
    return white


def _steps(n: int) -> np.ndarray:
    """Columns: a level (of either sign), and steps by one from each further epoch on."""
    return np.concatenate([np.ones((n, 1)), -np.ones((n, 1)), np.tril(np.ones((n, n)))[:, 1:]], axis=1)


def _nearest_falling(curve: np.ndarray, rho: float) -> tuple[np.ndarray, float]:
    """The falling curve nearest in the metric of the noise (of unit variance), and its distance."""
    steps = _steps(len(curve))
    steps[:, 2:] *= -1
    weights, distance = nnls(_whiten(steps, rho), _whiten(curve, rho), maxiter=100 * len(curve))
    return steps @ weights, float(distance)


def _distance_to_small_rise(curve: np.ndarray, rho: float, delta: float) -> float:
    """Distance to the nearest curve that falls up to some epoch, and rises by ``delta`` in all after it."""
    n, found = len(curve), np.inf
    for turn in np.unique(np.linspace(0.2 * n, 0.95 * n, N_TURNS).astype(int)):
        steps = _steps(n)
        steps[:, 2 : 2 + turn] *= -1
        sums = np.zeros(n + 1)
        sums[2 + turn :] = STIFF
        system = np.vstack([_whiten(steps, rho), sums])
        found = min(found, nnls(system, np.append(_whiten(curve, rho), STIFF * delta), maxiter=100 * n)[1])
    return float(found)


def _with_unknown_noise(curve: np.ndarray, rho: float, sd: float) -> float:
    """Smallest simulated power of the likelihood ratio, over falling curves under other noise."""
    n, lowest = len(curve), 1.0
    for memory in (rho, *(other for other in MEMORIES if other > rho)):
        null, distance = _nearest_falling(curve, memory)
        # The noise of this memory whose law with this curve is nearest to that of the U (Kullback and Leibler).
        trace = 1 + (n - 1) * (1 + memory**2 - 2 * memory * rho) / (1 - memory**2)
        nearest = np.sqrt((sd**2 * trace + distance**2) / n)
        for size in SIZES:
            lowest = min(lowest, _simulated_power(curve, rho, sd, null, memory, size * nearest))
    return lowest


def _simulated_power(
    curve: np.ndarray, rho: float, sd: float, null: np.ndarray, null_rho: float, null_sd: float
) -> float:
    rng = np.random.default_rng(0)
    white = [rng.standard_normal((N_SIMULATED, len(curve))) for _ in range(2)]
    under_null = null + null_sd * autoregressive(white[0], null_rho)
    under_u = curve + sd * autoregressive(white[1], rho)
    ratio = [
        _misfit(drawn, null, null_rho, null_sd) - _misfit(drawn, curve, rho, sd) for drawn in (under_null, under_u)
    ]
    return float(np.mean(ratio[1] > np.quantile(ratio[0], 1 - ALARMS)))


def _misfit(drawn: np.ndarray, mean: np.ndarray, rho: float, sd: float) -> np.ndarray:
    """``(y - m)' Σ⁻¹ (y - m)``; the determinants shift both ratios alike."""
    return np.sum(_whiten((drawn - mean).T / sd, rho) ** 2, axis=0)
