"""Diagnosis of one condition from several seeds and the correctness of every test sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from overmix._typing import Float, Shaped
from overmix.diagnose.bootstrap import CrossedDraws, draw_tables
from overmix.diagnose.checks import check_bootstrap, check_epochs, check_wrong
from overmix.diagnose.crossfit import BootstrapCurves, choose_splits, cross_fitted_depth
from overmix.diagnose.diagnosis import Diagnosis
from overmix.diagnose.interval import argmin_interval
from overmix.diagnose.practical import MIN_SEEDS, Unit, practical_size, verdict_of
from overmix.diagnose.turning import log_position, plain_number, smoothing_rows
from overmix.errors import DataError

N_GROUPS = 10  # of test samples; halves are unions of five of them, so all 126 splits cost one pass over the data


def diagnose_ensemble(
    epochs: Shaped[np.ndarray, " epochs"],
    wrong: Shaped[np.ndarray, "seeds epochs samples"],
    *,
    n_bootstrap: int = 1000,
    n_splits: int = 20,
    level: float = 0.95,
    seed: int = 0,
    unit: Unit = "fraction",
) -> Diagnosis:
    """Say whether the mean test error over several seeds is U-shaped, with intervals.

    With the mean error ``e_H(t)`` on a half ``H`` of the test samples, and its other half ``H'``:

        ``depth = mean over splits and directions of  e_H'(T) - e_H'(τ_H)``,   ``τ_H = argmin_t smooth(e_H)(t)``

    The epoch is chosen on other samples than those that the depth is read on, because the minimum of a noisy curve
    is too low: ``final - min`` is positive even if nothing over-trains. Intervals come from a bootstrap that draws
    seeds and test samples anew, both at once and independently; the halves are always of distinct samples, so that
    no sample stands on both sides. Seeds alone would give too narrow intervals, as all share one test set.
    The noise of the seeds is common to both halves; the smoothing keeps what it adds to the depth small.

    With fewer than five seeds the seeds say too little about each other: the verdict is then ``"undecided"``.

    Args:
        epochs: shape (epochs,), positive whole numbers, strictly increasing, roughly log-spaced; the last is the end.
        wrong: shape (seeds, epochs, samples), bool or uint8, 1 where the sample is misclassified; or the error of each
            sample, any number >= 0, float32.
        n_bootstrap: number of bootstrap samples.
        n_splits: number of splits into halves; all 126 if it is larger.
        level: of the intervals.
        seed: of the splits and the bootstrap; the same input and seed give the same diagnosis.
        unit: ``"fraction"`` if the mean is a rate, ``"value"`` if it is another number, for which 5 % of the lowest is
            what matters.

    Returns:
        A `Diagnosis` whose values are means of ``wrong``.

    Raises:
        ConfigError: a setting out of its range.
        DataError: arrays that do not fit together, or fewer than two test samples.

    Example:
        Sixteen seeds, 200 test samples; the error falls to 10 % at epoch 32 and rises to 30 % at epoch 128.

        >>> epochs = np.array([1, 2, 4, 8, 16, 32, 64, 128])
        >>> rate = np.array([0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.2, 0.3])
        >>> wrong = np.random.default_rng(0).random((16, 8, 200)) < rate[:, None]
        >>> diagnosis = diagnose_ensemble(epochs, wrong)
        >>> diagnosis.verdict, diagnosis.turning_epoch, round(diagnosis.depth, 2)
        ('u-shaped', 32, 0.2)

    Source: Art B. Owen, "The pigeonhole bootstrap", 2007 (drawing rows and columns of a table together).
    """
    check_wrong(wrong, "seeds", "epochs", "samples")
    grid = check_epochs(epochs, wrong.shape[1])
    check_bootstrap(n_bootstrap, level)
    if grid[0] < 1:
        raise DataError(f"epochs[0] = {grid[0]:g}: count epochs from 1")
    n_seeds, _, n_samples = wrong.shape
    if n_samples < 2:
        raise DataError(f"{n_samples} test sample: give at least 2, the epoch is chosen on one half of them")

    tables, rng = grouped_curves(wrong, n_bootstrap, seed)
    splits = choose_splits(len(tables[0].total), n_splits, rng)
    position = log_position(grid)
    smoother = smoothing_rows(position, position)

    means = [draws.mean() for draws in tables]
    turning = np.argmin(means[0] @ smoother.T, axis=1)
    at = int(turning[0])
    best, final = (crossed([mean[:, t] for mean in means], wrong) for t in (at, -1))
    depth = crossed([cross_fitted_depth(draws, splits, smoother) for draws in tables], wrong)
    depth_ci = depth.interval(level)
    delta = practical_size(float(best.both[0]), unit)
    single = n_seeds == 1  # one seed says nothing about another
    return Diagnosis(
        verdict="undecided" if n_seeds < MIN_SEEDS else verdict_of(depth_ci, delta),
        turning_epoch=plain_number(float(grid[at])),
        turning_epoch_ci=None if single else argmin_interval(grid, turning[1:], at, level),
        best=float(best.both[0]),
        best_ci=None if single else best.interval(level),
        final=float(final.both[0]),
        final_ci=None if single else final.interval(level),
        depth=float(depth.both[0]),
        depth_ci=None if single else depth_ci,
        delta=delta,
        n_seeds=n_seeds,
        n_epochs=len(grid),
        n_samples=n_samples,
        unit=unit,
        level=level,
        seed_share=depth.seed_share(),
        reason=f"One seed says nothing about another: use at least {MIN_SEEDS}." if single else None,
    )


def grouped_curves(
    wrong: Shaped[np.ndarray, "seeds epochs samples"], n_bootstrap: int, seed: int
) -> tuple[tuple[BootstrapCurves, BootstrapCurves, BootstrapCurves], np.random.Generator]:
    """Curves of each group of samples, with resampled: seeds and samples together, seeds alone, samples alone.

    Of bits all sums are of whole numbers, and exact in float32 (below 2^24), so the result does not depend on the
    number of threads or the order of summation; of other errors it does, in the last digits of float64.

    Returns:
        The curves, and the generator to go on with.
    """
    exact: type[np.floating[Any]] = np.float64 if wrong.dtype == np.float32 else np.float32
    n_seeds, n_epochs, n_samples = wrong.shape
    n_groups = min(N_GROUPS, n_samples)
    drawn_anew = draw_tables(n_seeds, n_samples, n_bootstrap, seed)
    rng = drawn_anew.generator()
    seeds, samples = drawn_anew.seeds.astype(exact, copy=False), drawn_anew.samples.astype(exact, copy=False)
    group_of = rng.permutation(n_samples) % n_groups
    both, by_seed, by_sample = np.empty((3, n_groups, n_bootstrap + 1, n_epochs))
    for g in range(n_groups):
        members = np.flatnonzero(group_of == g)
        block = np.take(wrong, members, axis=2).astype(exact)
        # (draws, samples) @ (samples, seeds * epochs), then seed weights: two products do the whole bootstrap.
        counted = (samples[:, members] @ block.reshape(-1, len(members)).T).reshape(-1, n_seeds, n_epochs)
        both[g] = (seeds[:, None, :] @ counted)[:, 0]
        by_seed[g] = seeds @ block.sum(axis=2)
        by_sample[g] = counted.sum(axis=1)
    drawn_seeds = seeds.sum(axis=1, dtype=np.float64)
    drawn = np.stack([samples[:, group_of == g].sum(axis=1, dtype=np.float64) for g in range(n_groups)])
    sizes = np.bincount(group_of, minlength=n_groups)[:, None] * np.ones(n_bootstrap + 1)
    curves = (
        BootstrapCurves(both, drawn * drawn_seeds),
        BootstrapCurves(by_seed, sizes * drawn_seeds),
        BootstrapCurves(by_sample, drawn * n_seeds),
    )
    return curves, rng


def crossed(
    draws: list[Float[np.ndarray, " draws"]], wrong: Shaped[np.ndarray, "seeds epochs samples"]
) -> CrossedDraws:
    """Return one number under the three bootstraps of :func:`grouped_curves`."""
    both, by_seed, by_sample = draws
    return CrossedDraws(both, by_seed, by_sample, units=(wrong.shape[0], wrong.shape[2]))
