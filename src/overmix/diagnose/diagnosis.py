"""What a diagnosis is: the verdict on a curve, the numbers behind it, and a sentence that says what to do."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from overmix.diagnose.axis import axis_noun, counts_epochs, written_place
from overmix.diagnose.interval import Interval
from overmix.diagnose.numerals import told_apart
from overmix.diagnose.practical import MIN_SEEDS, P_LEVEL, Unit, Verdict, format_size, seeds_to_narrow
from overmix.diagnose.sentences import after_a_turn

MAX_SEED_FACTOR = 10  # an extrapolation to more than ten times the seeds is a guess, and is not given


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Did this training, or this condition of a study, over-train?

    Every diagnosis has a curve: where it turns, how deep it is, and the verdict. What else is known depends on what it
    was made of.

    Attributes:
        verdict: ``"u-shaped"`` if the end is worse than the best by more than ``delta``, ``"monotone"`` if it is not,
            or ``"undecided"``. By method ``"curve"`` it is shown that the curve turns, and ``depth`` exceeds ``delta``.
        turning_epoch: where the smoothed mean curve is best.
        turning_epoch_ci: its interval, both ends epochs of the curve; None where nothing could be estimated.
        best: the mean curve at the turning epoch, in the values' own unit. From test samples it is their mean error,
            from a log the smoothed curve.
        final: the same at the last epoch.
        depth: by how much the end is worse than the turning point, freed of the selection bias of a minimum of noise;
            so it is not exactly the difference of ``final`` and ``best``. Positive if the end is worse, whichever
            direction is better.
        depth_ci: its interval; None where nothing could be estimated.
        delta: the smallest depth that matters, in the same unit.
        n_seeds: number of runs that were judged.
        n_epochs: number of epochs that were judged.
        method: ``"seeds"``, a bootstrap over seeds (and test samples, where they are known); ``"curve"``, simulated
            noise along the mean curve, for fewer than five runs of a log, which says how sure the shape of this curve
            is but nothing of another seed; ``"none"``.
        unit: ``"fraction"`` and ``"percent"`` for rates, ``"decibel"``, ``"value"`` for anything else.
        lower_is_better: the direction in which it was judged.
        level: of all intervals.
        n_diverged: runs left out, or cut off, because they became infinite or NaN.
        reason: why it is undecided, or what else must be known; None if there is nothing to say.
        n_samples: number of test samples. This and the next three are known only where the test samples are.
        best_ci: interval of ``best`` over seeds and test samples, at that epoch.
        final_ci: interval of ``final`` over seeds and test samples.
        seed_share: share of the variance of the depth that more seeds would reduce.
        p_value: of the curve against the nearest one that only improves. This and the next by method ``"curve"`` only.
        rho: correlation of the noise from look to look, by the curves that may turn.
        axis: what the places of the curve are called, ``"epoch"`` or as their column is; ``turning_epoch`` is one of
            them, whatever they are.
    """

    verdict: Verdict
    turning_epoch: int | float
    turning_epoch_ci: Interval | None
    best: float
    final: float
    depth: float
    depth_ci: Interval | None
    delta: float
    n_seeds: int
    n_epochs: int
    method: Literal["seeds", "curve", "none"] = "seeds"
    unit: Unit = "fraction"
    lower_is_better: bool = True
    level: float = 0.95
    n_diverged: int = 0
    reason: str | None = None
    n_samples: int | None = None
    best_ci: Interval | None = None
    final_ci: Interval | None = None
    seed_share: float | None = None
    p_value: float | None = None
    rho: float | None = None
    axis: str = "epoch"

    @property
    def advice(self) -> str:
        """What was seen and what to do. A curve alone does not know how it was trained, hence the "if"."""
        because = f" {self.reason}" if self.reason else ""
        if self.verdict == "u-shaped":
            return (
                f"U-shaped: best near {axis_noun(self.axis)} {written_place(self.turning_epoch)}{self._range()}, "
                f"{self._size(self.depth)} worse at the end. {after_a_turn(self.turning_epoch, self.axis)}{because}"
            )
        if self.verdict == "monotone":
            return f"Monotone: the end is within {self._size(self.delta)} of the best; train on as you do.{because}"
        if self.depth_ci is None:
            return f"Undecided:{because}"
        low, high = (format_size(end, self.unit, signed=True) for end in self.depth_ci)
        if self.depth > self.delta and self.p_value is not None:
            depth, delta = told_apart(self.depth, self.delta, lambda x, more: format_size(x, self.unit, more=more))
            p, asked = told_apart(self.p_value, P_LEVEL, lambda x, more: f"{x:.{2 + more}g}")
            return (
                f"Undecided: the end is {depth} worse than the best ({low} to {high}), more than the {delta} that "
                f"would matter, but noise alone may look like that (p = {p}, less than {asked} is asked); "
                f"{self._remedy()}.{because}"
            )
        return (
            f"Undecided: the end is between {low} and {high} worse than the best; {self._size(self.delta)} would "
            f"matter, {self._remedy()}.{because}"
        )

    def _range(self) -> str:
        if self.turning_epoch_ci is None:
            return ""
        low, high = self.turning_epoch_ci
        return f" ({written_place(low)} to {written_place(high)})"

    def _size(self, size: float) -> str:
        return format_size(size, self.unit)

    def _remedy(self) -> str:
        if self.method == "curve":
            places = "epochs" if counts_epochs(self.axis) else "points"
            return f"five seeds or more would help, or a score at more {places} and on more held-out samples"
        if self.seed_share is None:
            return "more seeds would help"
        more = more_seeds(self)
        return f"about {more} more seeds would tell" if more else "more seeds alone would not tell"

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, ready for JSON.

        Example:
            >>> diagnosis = Diagnosis(verdict="monotone", turning_epoch=512, turning_epoch_ci=(256, 512), best=0.07,
            ...     final=0.071, depth=0.001, depth_ci=(-0.001, 0.002), delta=0.005, n_seeds=8, n_epochs=60)
            >>> diagnosis.to_dict()["depth_ci"], diagnosis.to_dict()["advice"]
            ([-0.001, 0.002], 'Monotone: the end is within 0.5 points of the best; train on as you do.')
        """
        plain = asdict(self) | {"advice": self.advice}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def more_seeds(diagnosis: Diagnosis) -> int | None:
    """About how many more seeds would decide an undecided diagnosis.

    The interval has half-width ``w`` and reaches over ``δ``; it would not if its half-width were the distance
    ``|depth - δ|``; see :func:`~overmix.diagnose.practical.seeds_to_narrow`. It is a guess: it takes the depth found
    for the true one.

    Returns:
        At least 1 for an undecided diagnosis, 0 for a decided one; the number up to five if there are fewer (then
        the seeds can speak); None if it cannot be told: the test samples alone keep the interval too wide, or more
        than ten times the present seeds would be needed.

    Example:
        >>> diagnosis = Diagnosis(verdict="undecided", turning_epoch=128, turning_epoch_ci=(64, 256), best=0.07,
        ...     final=0.083, depth=0.013, depth_ci=(0.003, 0.023), delta=0.005, n_seeds=8, n_epochs=60,
        ...     n_samples=1000, seed_share=0.9)
        >>> more_seeds(diagnosis)
        6
    """
    if diagnosis.verdict != "undecided":
        return 0
    if diagnosis.n_seeds < MIN_SEEDS:
        return MIN_SEEDS - diagnosis.n_seeds
    if diagnosis.depth_ci is None or diagnosis.seed_share is None:
        return None
    low, high = diagnosis.depth_ci
    gap = diagnosis.depth - diagnosis.delta
    needed = seeds_to_narrow(
        diagnosis.n_seeds,
        half_width=diagnosis.depth - low if gap > 0 else high - diagnosis.depth,
        seed_share=diagnosis.seed_share,
        wanted=gap,
    )
    if needed is None or math.ceil(needed) > MAX_SEED_FACTOR * diagnosis.n_seeds:
        return None
    return max(1, math.ceil(needed) - diagnosis.n_seeds)
