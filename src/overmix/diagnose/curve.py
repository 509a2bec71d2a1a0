"""Did this curve turn? From a log: one run or several, no test samples at hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from overmix._typing import Shaped
from overmix.diagnose.axis import axis_noun, counts_epochs, written_place
from overmix.diagnose.checks import as_array, check_bootstrap, check_n_test, check_seed
from overmix.diagnose.curve_input import Curves, prepare
from overmix.diagnose.depth import Depth, depth_of_curve, depth_over_seeds
from overmix.diagnose.diagnosis import Diagnosis
from overmix.diagnose.practical import MIN_SEEDS, P_LEVEL, Unit, Verdict, practical_size, verdict_of
from overmix.diagnose.turning import log_position, plain_number, smoothing_rows
from overmix.errors import ConfigError

MIN_EPOCHS = 10  # fewer points leave nothing to tell noise from shape


def diagnose_curve(
    epochs: Shaped[np.ndarray, " epochs"] | Sequence[Any],
    values: Shaped[np.ndarray, "*seeds epochs"] | Sequence[Any],
    *,
    lower_is_better: bool = True,
    unit: Unit | Literal["auto"] = "auto",
    n_test: int | None = None,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    axis: str = "epoch",
) -> Diagnosis:
    """Say whether a logged curve is U-shaped, with intervals: of one run, or of several seeds.

        ``depth = smooth(T) - min_t smooth(t)``,   ``δ = max(0.5 points if a rate, 5 % of the best value)``

    Five seeds or more: each is read where the others are lowest, and seeds are drawn anew. ``"u-shaped"`` if the
    interval of the depth lies above ``δ``, ``"monotone"`` if below, else ``"undecided"``.

    Fewer: ``"u-shaped"`` if the mean curve is shown to turn (p < 4 % against curves that only fall, under noise of
    unknown size and memory from look to look) and its depth, freed of the optimism of a minimum, exceeds ``δ``;
    ``"monotone"`` if the interval of the depth lies below ``δ``. Smoothing is along log epoch (see `smooth`), so epochs
    may be logged at any spacing.

    Args:
        epochs: shape (epochs,), strictly increasing numbers; steps will do. Lists will do as well.
        values: shape (epochs,) or (seeds, epochs), held-out error, loss or accuracy. Runs that end in NaN or infinity
            have diverged and are left out; if all have, what came before is shown and nothing decided.
        lower_is_better: False for accuracies, which are turned around; ``best`` and ``final`` stay accuracies.
        unit: ``"fraction"`` or ``"percent"`` for rates, ``"decibel"``, ``"value"`` for losses; ``"auto"`` takes
            values in [0, 1] for fractions, up to 100 for percent if one exceeds 10, anything else for values.
        n_test: number of test samples behind each value, for shares of right or wrong answers: how large their noise
            usually is then helps to tell it from a turn. Five seeds or more speak for themselves.
        n_bootstrap: number of bootstrap samples, of the depth; p comes from 2,000 simulated curves, whatever it is.
        level: of the intervals.
        seed: of the bootstrap; the same input and seed give the same diagnosis.
        axis: what sentences call the places in ``epochs``, such as ``"step"``.

    Raises:
        DataError: epochs and values do not fit together, are no numbers, or have holes.
        ConfigError: a setting out of its range.

    Example:
        >>> epochs = np.arange(1, 201)
        >>> error = 0.1 + 0.03 * np.log(epochs / 40) ** 2 + np.random.default_rng(0).normal(0, 0.005, 200)
        >>> diagnosis = diagnose_curve(epochs, error)
        >>> diagnosis.verdict, 30 < diagnosis.turning_epoch < 55, round(diagnosis.depth, 2)
        ('u-shaped', True, 0.08)
    """
    check_bootstrap(n_bootstrap, level)
    check_seed(seed)
    check_n_test(n_test)
    curves = prepare(as_array("epochs", epochs), as_array("values", values), lower_is_better=lower_is_better, unit=unit)
    sampling_error = None if n_test is None else _sampling_error(curves, n_test)
    if not isinstance(axis, str) or not axis.strip():
        raise ConfigError("axis", axis, "name what the places of the curve are, such as 'epoch' or 'step'")
    reason = _nothing_to_tell(curves, axis)
    if reason is not None:
        return _describe(curves, None, level=level, reason=reason, axis=axis)
    rng = np.random.default_rng(seed)
    shifted = curves.values - curves.values[0, 0]  # the level does not matter, and rounding stays far below the depth
    if len(shifted) >= MIN_SEEDS:
        measured = depth_over_seeds(curves.epochs, shifted, n_bootstrap=n_bootstrap, level=level, rng=rng)
    else:
        mean = shifted.mean(axis=0)
        measured = depth_of_curve(
            curves.epochs, mean, sampling_error=sampling_error, n_bootstrap=n_bootstrap, level=level, rng=rng
        )
    return _describe(curves, measured, level=level, reason=_remark(curves), axis=axis)


def _describe(curves: Curves, measured: Depth | None, *, level: float, reason: str | None, axis: str) -> Diagnosis:
    position = log_position(curves.epochs)
    level_of = curves.values[0, 0]
    smoothed = level_of + smoothing_rows(position, position) @ (curves.values - level_of).mean(axis=0)
    at = int(np.argmin(smoothed))
    delta = practical_size(float(smoothed[at]), curves.unit)
    method: Literal["seeds", "curve", "none"] = "seeds" if len(curves.values) >= MIN_SEEDS else "curve"
    return Diagnosis(
        verdict="undecided" if measured is None else _verdict(curves, measured, delta),
        turning_epoch=plain_number(float(curves.epochs[at])),
        turning_epoch_ci=None if measured is None else measured.turning_ci,
        depth=float(smoothed[-1] - smoothed[at]) if measured is None else measured.depth,
        depth_ci=None if measured is None else measured.depth_ci,
        delta=delta,
        best=curves.as_given(smoothed[at]),
        final=curves.as_given(smoothed[-1]),
        n_seeds=len(curves.values),
        n_diverged=curves.n_diverged,
        n_epochs=len(curves.epochs),
        method="none" if measured is None else method,
        unit=curves.unit,
        lower_is_better=curves.lower_is_better,
        level=level,
        p_value=None if measured is None else measured.p_value,
        rho=None if measured is None else measured.rho,
        reason=reason,
        axis=axis,
    )


def _verdict(curves: Curves, measured: Depth, delta: float) -> Verdict:
    if _constant(curves):
        return "monotone"
    if measured.p_value is None:
        return verdict_of(measured.depth_ci, delta)
    if measured.depth_ci[1] < delta:
        return "monotone"
    return "u-shaped" if measured.p_value < P_LEVEL and measured.depth > delta else "undecided"


def _sampling_error(curves: Curves, n_test: int) -> float:
    """Standard deviation ``√(p (1 - p) / n)`` of the mean curve's values where they are lowest, by test samples alone.

    Raises:
        ConfigError: the values are no shares of test samples.
    """
    if curves.unit not in ("fraction", "percent"):
        raise ConfigError("n_test", n_test, f"leave it out: in unit {curves.unit!r} values are no shares of samples")
    whole = 1.0 if curves.unit == "fraction" else 100.0
    wrong = min(max(float(curves.values.min(axis=1).mean()) / whole, 0.0), 1.0)
    share = (wrong * n_test + 0.5) / (n_test + 1)  # none wrong of a few samples is no error of zero
    return whole * math.sqrt(share * (1 - share) / (n_test * len(curves.values)))


def _constant(curves: Curves) -> bool:
    return bool(np.ptp(curves.values) == 0)


def _nothing_to_tell(curves: Curves, axis: str) -> str | None:
    """Return why no verdict is possible."""
    if not curves.usable:
        last = f"{axis_noun(axis)} {written_place(curves.epochs[-1])}"
        return f"Every run diverged, at or soon after {last}: lower the learning rate first."
    if len(curves.epochs) < MIN_EPOCHS:
        places = "epochs" if counts_epochs(axis) else "points"
        logged = "were logged" if len(curves.values) + curves.n_diverged == 1 else "were logged by every run"
        return f"Only {len(curves.epochs)} {places} {logged}: log at least {MIN_EPOCHS}, 50 are better."
    return None


def _remark(curves: Curves) -> str | None:
    if _constant(curves):
        return "The curve is constant: check that the right values were read."
    if curves.n_diverged:
        return f"Runs that diverged were left out: {curves.n_diverged}."
    return None
