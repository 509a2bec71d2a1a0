"""Intervals: Student's for a mean over seeds, and those that come from bootstrap draws. The package has no others.

What only resamples, and never asks for an interval, is in :mod:`overmix.diagnose.bootstrap`.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from overmix._typing import Float, Int

Interval = tuple[float, float]


def t_factor(df: float, level: float = 0.95, *, looks: int = 1) -> float:
    """How many standard errors Student's interval reaches to either side, ``t_df(1 - (1 - level) / (2 looks))``.

    Args:
        df: degrees of freedom; infinity gives the normal law.
        level: of the interval.
        looks: number of intervals that hold together at this level (Bonferroni).

    Example:
        >>> round(t_factor(15), 3), round(t_factor(float("inf")), 3), round(t_factor(15, looks=8), 3)
        (2.131, 1.96, 3.177)
    """
    return float(special.stdtrit(df, 1 - (1 - level) / (2 * looks)))


def t_interval(values: Float[np.ndarray, " seeds"], level: float = 0.95) -> Interval | None:
    """Student's interval of a mean over seeds, ``mean ± t_{n-1} s / √n``.

    It speaks of other seeds on the same test set.

    Args:
        values: shape (seeds,).
        level: of the interval.

    Returns:
        The interval, or None for fewer than two seeds, or where a value is not finite.

    Example:
        >>> [round(end, 2) for end in t_interval(np.array([1.0, 2.0, 3.0]))]
        [-0.48, 4.48]

    Source: Student, "The probable error of a mean", 1908.
    """
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    low, high = t_band(values, level)
    return float(low), float(high)


def t_band(
    rows: Float[np.ndarray, "seeds *points"], level: float = 0.95
) -> tuple[Float[np.ndarray, "*points"], Float[np.ndarray, "*points"]]:
    """Ends of Student's interval at each point of a curve; see :func:`t_interval`.

    Args:
        rows: one curve per seed, shape (seeds, ...).
        level: of each interval.

    Returns:
        Lower and upper ends, shape (...); NaN for a single seed.

    Example:
        >>> low, high = t_band(np.array([[1.0, 5.0], [3.0, 5.0]]))
        >>> low.round(3).tolist(), high.round(3).tolist()
        ([-10.706, 5.0], [14.706, 5.0])
    """
    n, mean = len(rows), np.asarray(rows.mean(axis=0), dtype=np.float64)
    if n < 2:
        unknown = np.full_like(mean, np.nan)
        return unknown, unknown
    reach = t_factor(n - 1, level) * np.asarray(rows.std(axis=0, ddof=1), dtype=np.float64) / np.sqrt(n)
    return np.asarray(mean - reach), np.asarray(mean + reach)


def bootstrap_interval(
    estimate: float,
    draws: Float[np.ndarray, " draws"],
    *,
    level: float,
    df: float,
    factor: float = 1.0,
) -> Interval:
    """Bootstrap interval around an estimate, widened as Student's t is wider than the normal law.

        ``estimate + k (q - median(draws))``,   ``k = factor · t_df(p) / z(p)``

    for the quantiles ``q`` of the draws at ``p = (1 ± level) / 2``. Taking the draws about their own median leaves
    out the bias that the bootstrap adds by choosing an epoch a second time; ``k`` pays for the few units that the
    spread was estimated from.

    Args:
        estimate: the value found on the data.
        draws: shape (draws,), the values found on bootstrap samples.
        level: of the interval, in (0, 1).
        df: degrees of freedom of the spread, as `degrees_of_freedom` gives them.
        factor: true standard deviation over that of the draws.

    Example:
        >>> draws = np.random.default_rng(0).normal(size=100_000)
        >>> [round(float(x), 1) for x in bootstrap_interval(0.0, draws, level=0.95, df=4.0)]
        [-2.8, 2.8]
    """
    tail = (1 + level) / 2
    k = factor * (t_factor(df, level) / float(special.ndtri(tail)) if np.isfinite(df) else 1.0)
    low, middle, high = np.quantile(draws, [1 - tail, 0.5, tail])
    return float(estimate + k * (low - middle)), float(estimate + k * (high - middle))


def argmin_interval(
    epochs: Float[np.ndarray, " epochs"], draws: Int[np.ndarray, " draws"], estimate: int, level: float
) -> Interval:
    """Quantiles of the drawn grid positions, as epochs; widened, if needed, to hold the estimate's own."""
    tail = (1 + level) / 2
    low, high = np.quantile(draws, [1 - tail, tail], method="inverted_cdf").astype(int)
    return float(epochs[min(low, estimate)]), float(epochs[max(high, estimate)])


def degrees_of_freedom(variances: list[tuple[float, int]]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variance estimates, ``(Σ v)² / Σ (v² / df)``.

    Args:
        variances: pairs (variance, its degrees of freedom); those without variance or freedom are left out.

    Returns:
        At least 1; infinity if nothing varies.

    Example:
        >>> degrees_of_freedom([(1.0, 4), (1.0, 4)])
        8.0

    Source: F. E. Satterthwaite, "An approximate distribution of estimates of variance components", 1946.
    """
    kept = [(v, df) for v, df in variances if v > 0 and df > 0]
    if not kept:
        return float("inf")
    return max(1.0, sum(v for v, _ in kept) ** 2 / sum(v * v / df for v, df in kept))
