"""Which of two conditions turns earlier, and which deeper? Paired over seeds and test samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overmix._typing import Shaped
from overmix.diagnose.checks import check_bootstrap, check_epochs, check_wrong
from overmix.diagnose.crossfit import choose_splits, cross_fitted_depth
from overmix.diagnose.ensemble import crossed, grouped_curves
from overmix.diagnose.interval import Interval, bootstrap_interval
from overmix.diagnose.turning import log_position, smoothing_rows
from overmix.errors import DataError


@dataclass(frozen=True)
class TurnComparison:
    """Turning points of two conditions, a against b.

    Attributes:
        doublings: ``log2(τ_a / τ_b)``: -1 where a turns at half the time.
        doublings_ci: its interval.
        depth: depth of a minus depth of b.
        depth_ci: its interval.
        n: number of paired seeds.
        level: of the intervals.
    """

    doublings: float
    doublings_ci: Interval
    depth: float
    depth_ci: Interval
    n: int
    level: float = 0.95

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists, ready for JSON."""
        return {
            "doublings": self.doublings,
            "doublings_ci": list(self.doublings_ci),
            "depth": self.depth,
            "depth_ci": list(self.depth_ci),
            "n": self.n,
            "level": self.level,
        }


def compare_turns(
    times_a: Shaped[np.ndarray, " epochs_a"],
    wrong_a: Shaped[np.ndarray, "seeds epochs_a samples"],
    times_b: Shaped[np.ndarray, " epochs_b"],
    wrong_b: Shaped[np.ndarray, "seeds epochs_b samples"],
    *,
    n_bootstrap: int = 1000,
    n_splits: int = 20,
    level: float = 0.95,
    seed: int = 0,
) -> TurnComparison:
    """Compare when two mean curves of the test error turn, and how deep their U is.

        ``doublings = log2(τ_a / τ_b)``,   ``depth = D_a - D_b``

    with turning point ``τ`` and cross-fitted depth ``D`` as in :func:`diagnose_ensemble`. Both curves are drawn with
    the same seeds and test samples, so that what these have in common cancels.

    Args:
        times_a: shape (epochs_a,), positive, strictly increasing: epochs, or steps.
        wrong_a: shape (seeds, epochs_a, samples), bool or uint8, 1 where misclassified.
        times_b: the same for the other condition, in the same unit; the two may be looked at at other times.
        wrong_b: row i is the twin of row i of ``wrong_a``, the last axis the same test samples.
        n_bootstrap: number of bootstrap samples.
        n_splits: number of splits into halves.
        level: of the intervals.
        seed: of the bootstrap.

    Raises:
        ConfigError: a setting out of its range.
        DataError: arrays that do not fit together, or fewer than two seeds.

    Example:
        >>> times = np.array([1, 2, 4, 8, 16, 32, 64, 128])
        >>> rng, distance = np.random.default_rng(0), np.abs(np.log2(times) - 5)
        >>> late = rng.random((8, 8, 400)) < (0.1 + 0.05 * distance)[:, None]
        >>> early = rng.random((8, 8, 400)) < (0.1 + 0.05 * np.abs(np.log2(times) - 3))[:, None]
        >>> turns = compare_turns(times, early, times, late)
        >>> turns.doublings, round(turns.depth, 1)
        (-2.0, 0.1)
    """
    check_bootstrap(n_bootstrap, level)
    curves = []
    for times, wrong in ((times_a, wrong_a), (times_b, wrong_b)):
        check_wrong(wrong, "seeds", "epochs", "samples")
        grid = check_epochs(times, wrong.shape[1])
        if grid[0] <= 0:
            raise DataError(f"times[0] = {grid[0]:g}: use times > 0")
        curves.append((grid, wrong))
    n_seeds, n_samples = wrong_a.shape[0], wrong_a.shape[2]
    if (n_seeds, n_samples) != (wrong_b.shape[0], wrong_b.shape[2]):
        raise DataError(f"wrong_a has shape {wrong_a.shape}, wrong_b {wrong_b.shape}: pair the seeds, on one test set")
    if n_seeds < 2 or n_samples < 2:
        raise DataError(f"{n_seeds} seeds, {n_samples} test samples: give at least 2 of each")
    turns, depths = [], []
    for grid, wrong in curves:
        tables, rng = grouped_curves(wrong, n_bootstrap, seed)  # the same draws for both
        splits = choose_splits(len(tables[0].total), n_splits, rng)
        position = log_position(grid)
        smoother = smoothing_rows(position, position)
        turns.append(np.log2(grid[np.argmin(tables[0].mean() @ smoother.T, axis=1)]))
        depths.append([cross_fitted_depth(draws, splits, smoother) for draws in tables])
    doublings = turns[0] - turns[1]
    depth = crossed([a - b for a, b in zip(*depths, strict=True)], wrong_a)
    return TurnComparison(
        doublings=float(doublings[0]),
        doublings_ci=bootstrap_interval(float(doublings[0]), doublings[1:], level=level, df=float(n_seeds - 1)),
        depth=float(depth.both[0]),
        depth_ci=depth.interval(level),
        n=n_seeds,
        level=level,
    )
