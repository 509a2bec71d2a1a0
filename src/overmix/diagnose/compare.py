"""Is one condition better than another? Differences paired over seeds, with intervals and corrected p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from overmix._typing import Shaped
from overmix.diagnose.bootstrap import CrossedDraws, draw_tables
from overmix.diagnose.checks import check_bootstrap, check_wrong
from overmix.diagnose.interval import Interval, t_factor
from overmix.errors import ConfigError, DataError


@dataclass(frozen=True)
class Comparison:
    """Difference ``a - b`` of two conditions, paired over seeds.

    Attributes:
        difference: mean of ``a - b``; negative where ``a`` is the lower one.
        ci: its interval; None for a single seed.
        p_value: two-sided, of no difference; below ``1 - level`` exactly where ``ci`` excludes 0. None for one seed.
        n: number of paired seeds.
        level: of the interval.
        df: degrees of freedom of Student's t behind interval and p-value.
        seed_share: share of the variance that more seeds would reduce; the rest comes from the test samples.
    """

    difference: float
    ci: Interval | None
    p_value: float | None
    n: int
    level: float = 0.95
    df: float = math.inf
    seed_share: float = 1.0

    def swapped(self) -> Comparison:
        """The same comparison as ``b - a``."""
        ci = None if self.ci is None else (-self.ci[1], -self.ci[0])
        return replace(self, difference=-self.difference, ci=ci)

    @property
    def standard_error(self) -> float:
        """Of the difference; NaN for a single seed."""
        return math.nan if self.ci is None else (self.ci[1] - self.ci[0]) / 2 / t_factor(self.df, self.level)

    def upper(self, p: float, *, looks: int = 1) -> float:
        """Upper end of the one-sided interval that misses the difference with probability ``p``; infinity for one seed.

            ``difference + t_df(1 - p / looks) * standard_error``

        Args:
            p: in (0, 0.5).
            looks: number of such intervals that hold together (Bonferroni).

        Example:
            >>> round(Comparison(-0.012, (-0.019, -0.005), 0.004, 16).upper(0.025), 3)
            -0.005
        """
        if self.ci is None:
            return math.inf
        return self.difference + t_factor(self.df, 1 - 2 * p, looks=looks) * self.standard_error

    def as_one_of(self, looks: int) -> Comparison:
        """The same comparison, where ``a`` or ``b`` was chosen among several by the values that are compared here.

            ``p' = min(1, looks p)``,   ``ci'`` at ``1 - (1 - level) / looks``

        It is the first step of Holm's procedure (that of Bonferroni), and its interval: all ``looks`` of them together
        hold at ``level``, so that the chosen one's does too.

        Args:
            looks: number of candidates, >= 1.

        Example:
            >>> comparison = Comparison(-0.012, (-0.019, -0.005), 0.004, 16).as_one_of(8)
            >>> [round(x, 4) for x in comparison.ci], comparison.p_value
            ([-0.0218, -0.0022], 0.032)
        """
        if looks < 1:
            raise ConfigError("looks", looks, "use a number of candidates >= 1")
        if looks == 1 or self.ci is None or self.p_value is None:
            return self
        narrow, wide = (t_factor(self.df, self.level, looks=m) for m in (1, looks))
        reach = (self.ci[1] - self.ci[0]) / 2 * wide / narrow
        ci = (self.difference - reach, self.difference + reach)
        return replace(self, ci=ci, p_value=min(1.0, looks * self.p_value))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists, ready for JSON."""
        ci = None if self.ci is None else list(self.ci)
        return {"difference": self.difference, "ci": ci, "p_value": self.p_value, "n": self.n, "level": self.level}


def paired_difference(
    wrong_a: Shaped[np.ndarray, "seeds samples"],
    wrong_b: Shaped[np.ndarray, "seeds samples"],
    *,
    n_bootstrap: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Difference of two error rates on one test set, seeds paired.

        ``difference = mean over seeds and samples of  wrong_a - wrong_b``,   ``ci = difference ± t_df se``

    where ``se`` comes from a bootstrap that draws seeds and test samples anew, both at once and independently: the
    interval then holds for other seeds and another test set of this size.

    Args:
        wrong_a: shape (seeds, samples), bool or uint8, 1 where misclassified at the last epoch.
        wrong_b: the same for the other condition; row i is the twin of row i of ``wrong_a`` (same initial weights,
            subset and order), column j the same test sample.
        n_bootstrap: number of bootstrap samples.
        level: of the interval.
        seed: of the bootstrap.

    Raises:
        ConfigError: a setting out of its range.
        DataError: not arrays of zeros and ones of one shape.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.random((16, 500)) < 0.2, rng.random((16, 500)) < 0.1
        >>> comparison = paired_difference(a, b)
        >>> round(comparison.difference, 2), comparison.p_value < 0.001
        (0.1, True)

    Source: Art B. Owen, "The pigeonhole bootstrap", 2007.
    """
    for wrong in (wrong_a, wrong_b):
        check_wrong(wrong, "seeds", "samples")
    if wrong_a.shape != wrong_b.shape:
        raise DataError(f"wrong_a has shape {wrong_a.shape}, wrong_b {wrong_b.shape}: pair the seeds, on one test set")
    check_bootstrap(n_bootstrap, level)
    n_seeds, n_samples = wrong_a.shape
    table = wrong_a.astype(np.float32) - wrong_b.astype(np.float32)
    drawn_anew = draw_tables(n_seeds, n_samples, n_bootstrap, seed)
    seeds, samples = drawn_anew.seeds, drawn_anew.samples
    per_seed = samples @ table.T / n_samples  # (draws, seeds)
    drawn = seeds.sum(axis=1)
    draws = CrossedDraws(
        both=((seeds * per_seed).sum(axis=1) / drawn).astype(np.float64),
        by_seed=(seeds @ table.mean(axis=1) / drawn).astype(np.float64),
        by_sample=per_seed.mean(axis=1).astype(np.float64),
        units=(n_seeds, n_samples),
    )
    difference = float(table.mean(dtype=np.float64))
    if n_seeds == 1:
        return Comparison(difference, None, None, 1, level)
    by_t = _student(difference, draws.variances()[0] ** 0.5, draws.df(), n_seeds, level)
    return replace(by_t, seed_share=draws.seed_share())


def paired_values(
    values_a: Shaped[np.ndarray, " seeds"], values_b: Shaped[np.ndarray, " seeds"], *, level: float = 0.95
) -> Comparison:
    """Difference of any metric of which one number per seed is known, seeds paired.

        ``difference = mean d``,   ``ci = mean d ± t_{n-1} sd(d) / √n``,   ``d = values_a - values_b``

    It speaks of other seeds on the same test set; `paired_difference` also of another test set.

    Args:
        values_a: shape (seeds,), finite.
        values_b: the same for the other condition; entry i is the twin of entry i of ``values_a``.
        level: of the interval.

    Raises:
        ConfigError: a level outside (0, 1).
        DataError: unequal lengths, no seed, or non-finite values.

    Example:
        >>> comparison = paired_values(np.array([0.30, 0.32, 0.31]), np.array([0.28, 0.29, 0.30]))
        >>> round(comparison.difference, 3), [round(x, 3) for x in comparison.ci]
        (0.02, [-0.005, 0.045])

    Source: Student, "The probable error of a mean", 1908.
    """
    if values_a.ndim != 1 or values_a.shape != values_b.shape or not len(values_a):
        raise DataError(
            f"values_a has shape {values_a.shape}, values_b {values_b.shape}: give one value per paired seed"
        )
    if not 0 < level < 1:
        raise ConfigError("level", level, "use a number between 0 and 1, such as 0.95")
    for name, values in (("values_a", values_a), ("values_b", values_b)):
        if (bad := np.flatnonzero(~np.isfinite(values))).size:
            raise DataError(f"{name}[{bad[0]}] = {values[bad[0]]}: leave diverged seeds out, in both conditions")
    d = values_a.astype(np.float64) - values_b.astype(np.float64)
    n = len(d)
    if n == 1:
        return Comparison(float(d[0]), None, None, 1, level)
    return _student(float(d.mean()), float(d.std(ddof=1)) / n**0.5, n - 1, n, level)


def _student(difference: float, se: float, df: float, n: int, level: float) -> Comparison:
    reach = se * t_factor(df, level)
    if se > 0:
        p_value = 2 * float(special.stdtr(df, -abs(difference) / se))
    else:
        p_value = 1.0 if difference == 0 else 0.0
    return Comparison(difference, (difference - reach, difference + reach), p_value, n, level, df)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct several p-values so that the chance of any false alarm among them stays at the level.

        ``p'_(i) = max_{j <= i} min(1, (m - j + 1) p_(j))``   for the sorted ``p_(1) <= ... <= p_(m)``

    Args:
        p_values: each in [0, 1], or None where a comparison has none (it stays None and is not counted).

    Returns:
        The corrected values, in the order given.

    Raises:
        ConfigError: a value outside [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

    Source: Sture Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    for p in p_values:
        if p is not None and not 0 <= p <= 1:
            raise ConfigError("p_values", p, "give numbers between 0 and 1")
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        corrected[i] = highest
    return corrected
