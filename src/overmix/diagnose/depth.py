"""Depth of a smoothed curve and its interval, from one curve or from several seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overmix._typing import Float, Int
from overmix.diagnose.bootstrap import resample
from overmix.diagnose.interval import Interval, argmin_interval, bootstrap_interval
from overmix.diagnose.isotonic import falling_then_rising
from overmix.diagnose.turn_test import turn_test
from overmix.diagnose.turning import log_position, smoothing_rows

N_KNOTS = 128  # epochs, evenly spread on the log axis, among which simulated curves look for their minimum
NEAR = 0.1  # of the range: the curve has settled once it is this near to its lowest value
MOST_LEFT_OUT = 0.5  # of the epochs, as the steep start


@dataclass(frozen=True)
class Depth:
    """Depth of a curve that is better where it is lower.

    Attributes:
        depth: free of selection bias.
        depth_ci: its interval.
        turning_ci: interval of the turning epoch.
        p_value: against the nearest curve that only falls; None for several seeds.
        rho: memory of the noise; None for several seeds.
    """

    depth: float
    depth_ci: Interval
    turning_ci: Interval
    p_value: float | None = None
    rho: float | None = None


def depth_of_curve(
    epochs: Float[np.ndarray, " epochs"],
    values: Float[np.ndarray, " epochs"],
    *,
    sampling_error: float | None,
    n_bootstrap: int,
    level: float,
    rng: np.random.Generator,
) -> Depth:
    """Depth of one curve, ``smooth(T) - min_t smooth(t)``, and whether it turns at all.

    `turn_test` says whether it turns, and what noise it has. Simulated around the nearest unimodal curve this noise
    gives the bias of the depth, which is subtracted, and the interval. The steep start is left out of the test.
    """
    position = log_position(epochs)
    smoother = smoothing_rows(position, position)
    smoothed = smoother @ values
    settled = _settled(smoothed)
    test = turn_test(
        epochs[settled:],
        position[settled:],
        values[settled:],
        (values - smoothed)[settled:],
        sampling_error=sampling_error,
        rng=rng,
    )
    knots = _knots(position)
    observed = float(smoothed[-1] - smoothed.min())
    unimodal = falling_then_rising(smoothed)
    simulated, at = _depths((unimodal + test.noise(rng, n_bootstrap, settled)) @ smoother[knots].T)
    bias = float(np.median(simulated)) - float(unimodal[-1] - unimodal.min())
    return Depth(
        depth=observed - bias,
        # The draws differ in the size of the noise too, so nothing is to be widened for that.
        depth_ci=bootstrap_interval(observed - bias, simulated, level=level, df=float("inf")),
        turning_ci=argmin_interval(epochs, knots[at], int(np.argmin(smoothed)), level),
        p_value=test.p_value,
        rho=test.rho,
    )


def depth_over_seeds(
    epochs: Float[np.ndarray, " epochs"],
    values: Float[np.ndarray, "seeds epochs"],
    *,
    n_bootstrap: int,
    level: float,
    rng: np.random.Generator,
) -> Depth:
    """Depth of the mean curve over seeds, less its optimism.

        ``depth = D(m, τ) - mean_b [D(m_b, τ_b) - D(m, τ_b)]``,   ``D(m, τ) = m(T) - m(τ)``

    with the smoothed mean curve ``m``, its lowest epoch ``τ``, and the same of each bootstrap sample ``b`` of seeds: an
    epoch chosen on a sample looks deeper there than it is. Both ends of a run are drawn together (paired).

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 17 (optimism).
    """
    position = log_position(epochs)
    smoothed = values @ smoothing_rows(position, position).T
    weights = resample(rng, len(values), n_bootstrap, size="all but one")
    means = weights @ smoothed / weights.sum(axis=1, keepdims=True)
    draws, at = _depths(means)
    optimism = float(np.mean(draws[1:] - (means[0, -1] - means[0, at[1:]])))
    depth = float(draws[0]) - optimism
    return Depth(
        depth=depth,
        depth_ci=bootstrap_interval(depth, draws[1:], level=level, df=float(len(values) - 1)),
        turning_ci=argmin_interval(epochs, at[1:], int(at[0]), level),
    )


def _depths(
    curves: Float[np.ndarray, "draws knots"],
) -> tuple[Float[np.ndarray, " draws"], Int[np.ndarray, " draws"]]:
    """Depth of each curve, and where it is lowest."""
    at = np.argmin(curves, axis=1)
    return curves[:, -1] - np.take_along_axis(curves, at[:, None], axis=1)[:, 0], at


def _settled(smoothed: Float[np.ndarray, " epochs"]) -> int:
    """Index of the first epoch near the minimum, at most half way."""
    near = smoothed <= smoothed.min() + NEAR * (smoothed.max() - smoothed.min())
    return min(int(np.argmax(near)), int(MOST_LEFT_OUT * len(smoothed)))


def _knots(position: Float[np.ndarray, " epochs"]) -> Int[np.ndarray, " knots"]:
    """Indices of at most `N_KNOTS` epochs, evenly spread on the log axis, the first and the last among them."""
    wanted = np.linspace(position[0], position[-1], N_KNOTS)
    return np.unique(np.searchsorted(position, wanted).clip(max=len(position) - 1))
