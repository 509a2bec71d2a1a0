"""Resampling: how often each unit is drawn, and what a table of seeds and test samples says under its draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from overmix._typing import Float, Int
from overmix.diagnose.interval import Interval, bootstrap_interval, degrees_of_freedom


def resample(
    rng: np.random.Generator, n_units: int, n_bootstrap: int, *, size: Literal["all", "all but one"] = "all"
) -> Int[np.ndarray, "draws units"]:
    """How often each unit is drawn in each bootstrap sample; row 0 is the data themselves (every unit once).

    Args:
        rng: the source of randomness.
        n_units: number of units to draw from.
        n_bootstrap: number of bootstrap samples.
        size: ``"all"`` draws as many units as there are. ``"all but one"`` draws ``n - 1``: the variance of the mean
            over draws is then unbiased, ``s² / n`` instead of ``s² (n - 1) / n²``, which matters for a few seeds.

    Returns:
        int64 counts, shape (1 + n_bootstrap, n_units).

    Source: J. N. K. Rao and C. F. J. Wu, "Resampling inference with complex survey data", 1988.
    """
    drawn = n_units if size == "all" else max(1, n_units - 1)
    units = rng.integers(n_units, size=(n_bootstrap, drawn))
    cells = units + n_units * np.arange(n_bootstrap)[:, None]
    counts = np.bincount(cells.ravel(), minlength=n_bootstrap * n_units).reshape(n_bootstrap, n_units)
    return np.concatenate([np.ones((1, n_units), dtype=np.int64), counts.astype(np.int64)])


@dataclass(frozen=True)
class CrossedDraws:
    """One number under three bootstraps of a table of seeds and test samples; entry 0 of each is the estimate.

    Attributes:
        both: shape (draws,), seeds and samples resampled together.
        by_seed: shape (draws,), seeds alone.
        by_sample: shape (draws,), samples alone.
        units: number of seeds and of test samples.
    """

    both: Float[np.ndarray, " draws"]
    by_seed: Float[np.ndarray, " draws"]
    by_sample: Float[np.ndarray, " draws"]
    units: tuple[int, int]

    def variances(self) -> tuple[float, float]:
        """Variance of the estimate, and the part of it that seeds bring beyond their luck with single samples.

        With ``S`` the variance between seeds, ``M`` between samples and ``I`` of single entries (each over its
        number of units), the truth is ``S + M + I``. Resampled seeds show ``S + I``, samples ``M + I``, and both
        together ``S + M + 3 I``: so the truth is twice the sum of the first two minus the third.
        """
        both, by_seed, by_sample = (float(d[1:].var()) for d in (self.both, self.by_seed, self.by_sample))
        entries = max(0.0, both - by_seed - by_sample)
        total = max(by_seed + by_sample - entries, by_seed, by_sample)
        return total, max(0.0, by_seed - entries)

    def interval(self, level: float) -> Interval:
        """Interval of the number; see `bootstrap_interval` and `variances`."""
        spread = float(self.both[1:].std())
        factor = float(np.sqrt(self.variances()[0])) / spread if spread > 0 else 1.0
        return bootstrap_interval(float(self.both[0]), self.both[1:], level=level, df=self.df(), factor=factor)

    def df(self) -> float:
        """Satterthwaite's degrees of freedom of the variance: few where the seeds bring most of it."""
        total, between_seeds = self.variances()
        return degrees_of_freedom([(between_seeds, self.units[0] - 1), (total - between_seeds, self.units[1] - 1)])

    def seed_share(self) -> float:
        """Share of the variance that falls as more seeds are run; 1 where nothing varies."""
        total, _ = self.variances()
        return min(1.0, float(self.by_seed[1:].var()) / total) if total > 0 else 1.0
