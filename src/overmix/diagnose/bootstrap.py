"""Resampling: how often each unit is drawn, and what a table of seeds and test samples says under its draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

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
class TableDraws:
    """How often the seeds and the test samples of a table are drawn in each bootstrap sample; see :func:`resample`.

    Attributes:
        seeds: shape (draws, seeds), all but one drawn.
        samples: shape (draws, samples).
        state: of the generator after them, for what else is drawn.
    """

    seeds: Float[np.ndarray, "draws seeds"]
    samples: Float[np.ndarray, "draws samples"]
    state: dict[str, Any]

    def generator(self) -> np.random.Generator:
        """Return a generator that goes on where the draws ended."""
        rng = np.random.default_rng()
        rng.bit_generator.state = self.state
        return rng


@lru_cache(maxsize=2)
def draw_tables(n_seeds: int, n_samples: int, n_bootstrap: int, seed: int) -> TableDraws:
    """Draw seeds and test samples anew, independently.

    A study asks for the same draws for each of its conditions, and for each pair of them: the last two are kept, as
    whole numbers in float32, of which they are not to be changed.
    """
    rng = np.random.default_rng(seed)
    seeds = resample(rng, n_seeds, n_bootstrap, size="all but one").astype(np.float32)
    samples = resample(rng, n_samples, n_bootstrap).astype(np.float32)
    for counts in (seeds, samples):
        counts.setflags(write=False)
    return TableDraws(seeds, samples, dict(rng.bit_generator.state))


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
