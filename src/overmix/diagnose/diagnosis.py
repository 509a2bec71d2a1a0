"""What a diagnosis is: the verdict on one condition, the numbers behind it, and a sentence that says what to do."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["u-shaped", "monotone", "undecided"]
Interval = tuple[float, float]

MIN_SEEDS = 5  # fewer say too little about how much seeds differ: nothing is decided then
ERROR_DELTA = 0.005  # half a percentage point
RELATIVE_DELTA = 0.05
MAX_SEED_FACTOR = 10  # an extrapolation to more than ten times the seeds is a guess, and is not given


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Did this condition over-train?

    Attributes:
        verdict: ``"u-shaped"`` if it over-trains by more than ``delta``, ``"monotone"`` if not, or ``"undecided"``.
        turning_epoch: where the smoothed mean curve is lowest.
        turning_epoch_ci: its interval, both ends epochs of the curve.
        lowest: the value of the mean curve at the turning epoch (the highest one where ``mode`` is ``"max"``).
        lowest_ci: its interval over seeds and test samples, at that epoch; None for a single run.
        final: the value of the mean curve at the last epoch.
        final_ci: its interval over seeds and test samples; None for a single run.
        depth: by how much the end is worse than the turning point, freed of the selection bias that
            ``final - lowest`` has (the minimum of noise is too low). So it is not exactly their difference.
        depth_ci: its interval.
        delta: the practical size that the depth is held against.
        n_seeds: number of runs.
        n_samples: number of test samples; None for a bare curve.
        level: of all intervals.
        method: where ``depth_ci`` and ``turning_epoch_ci`` come from: ``"seeds"``, a bootstrap over seeds (and test
            samples), or ``"curve"``, a block bootstrap of the noise along the mean curve, which a single run has too.
        metric: name of the value; ``"error"`` is an error rate, a fraction of 1.
        mode: ``"min"`` if lower is better, ``"max"`` if higher is.
        p_value: of the test against a monotone curve (method ``"curve"`` only).
        seed_share: share of the variance of the depth that more seeds would reduce (method ``"seeds"`` only).
    """

    verdict: Verdict
    turning_epoch: int | float
    turning_epoch_ci: Interval | None
    lowest: float
    lowest_ci: Interval | None
    final: float
    final_ci: Interval | None
    depth: float
    depth_ci: Interval | None
    delta: float
    n_seeds: int
    n_samples: int | None
    level: float = 0.95
    method: Literal["seeds", "curve"] = "seeds"
    metric: str = "error"
    mode: Literal["min", "max"] = "min"
    p_value: float | None = None
    seed_share: float | None = None

    @property
    def advice(self) -> str:
        """One sentence on this condition alone: what was seen, and what to do."""
        size, delta = format_size(self.depth, self.metric), format_size(self.delta, self.metric)
        if self.verdict == "u-shaped":
            return (
                f"Over-trains: best near epoch {self.turning_epoch:g}{self._range()}, {size} worse at the end; "
                f"stop, or switch the mixing off, rather than train on like this."
            )
        if self.verdict == "monotone":
            return f"No over-training: the end is within {delta} of the best epoch."
        more = more_seeds(self)
        remedy = f"about {more} more seeds would tell" if more else "more seeds alone would not tell"
        return f"Undecided: {size} worse at the end, which may lie on either side of {delta}; {remedy}."

    def _range(self) -> str:
        if self.turning_epoch_ci is None:
            return ""
        low, high = self.turning_epoch_ci
        return f" ({low:g}–{high:g})"

    def to_dict(self, *, single_run: Literal["keep", "null"] = "keep") -> dict[str, Any]:
        """Return plain numbers, strings and lists, ready for JSON.

        Args:
            single_run: ``"null"`` drops the intervals of one run, whose block bootstrap says how sure the shape of
                this curve is but nothing about another seed.

        Example:
            >>> d = Diagnosis(verdict="monotone", turning_epoch=512, turning_epoch_ci=(256, 512), lowest=0.07,
            ...     lowest_ci=None, final=0.071, final_ci=None, depth=0.001, depth_ci=(-0.001, 0.002), delta=0.005,
            ...     n_seeds=1, n_samples=1000, method="curve")
            >>> d.to_dict()["depth_ci"], d.to_dict(single_run="null")["depth_ci"]
            ([-0.001, 0.002], None)
        """
        out = asdict(self) | {"advice": self.advice}
        for key in ("turning_epoch_ci", "lowest_ci", "final_ci", "depth_ci"):
            dropped = out[key] is None or (single_run == "null" and self.n_seeds == 1)
            out[key] = None if dropped else list(out[key])
        return out


def verdict_of(depth_ci: Interval, delta: float) -> Verdict:
    """Hold the interval of the depth against the practical size.

    ``"u-shaped"`` if it lies above ``delta``, ``"monotone"`` if below, ``"undecided"`` if ``delta`` is inside.

    Example:
        >>> verdict_of((0.012, 0.031), 0.005), verdict_of((-0.001, 0.002), 0.005), verdict_of((0.001, 0.02), 0.005)
        ('u-shaped', 'monotone', 'undecided')
    """
    if depth_ci[0] > delta:
        return "u-shaped"
    return "monotone" if depth_ci[1] < delta else "undecided"


def practical_size(lowest: float, *, metric: str) -> float:
    """Smallest difference that matters, ``δ``.

    ``δ = max(0.005, 0.05 lowest)`` for an error rate (``metric="error"``), ``δ = 0.05 |lowest|`` for anything else.

    Example:
        >>> [practical_size(lowest, metric="error") for lowest in (0.06, 0.3)], practical_size(0.06, metric="loss")
        ([0.005, 0.015], 0.003)
    """
    relative = RELATIVE_DELTA * abs(lowest)
    return max(ERROR_DELTA, relative) if metric == "error" else relative


def format_size(size: float, metric: str) -> str:
    """Write a difference the way its reader thinks of it.

    Example:
        >>> format_size(0.0253, "error"), format_size(0.0253, "loss")
        ('2.5 points', '0.0253')
    """
    return f"{100 * size:.2g} points" if metric == "error" else f"{size:.3g}"


def more_seeds(diagnosis: Diagnosis) -> int | None:
    """About how many more seeds would decide an undecided diagnosis.

    The interval has half-width ``w`` and reaches over ``δ``; it would not if its half-width were the distance
    ``g = |depth - δ|``. Of ``w²``, the share ``s`` falls as 1 / seeds and the rest, from the test samples, stays:

        ``s w² n / n' + (1 - s) w² = g²``,   so   ``n' = n s w² / (g² - (1 - s) w²)``

    and ``n' - n`` more are needed. It is a guess: it takes the depth found for the true one.

    Returns:
        At least 1 for an undecided diagnosis, 0 for a decided one; the number up to five if there are fewer (then
        the seeds can speak); None if it cannot be told: the test samples alone keep the interval too wide, or more
        than ten times the present seeds would be needed.

    Example:
        >>> d = Diagnosis(verdict="undecided", turning_epoch=128, turning_epoch_ci=(64, 256), lowest=0.07,
        ...     lowest_ci=(0.06, 0.08), final=0.083, final_ci=(0.07, 0.09), depth=0.013, depth_ci=(0.003, 0.023),
        ...     delta=0.005, n_seeds=8, n_samples=1000, seed_share=0.9)
        >>> more_seeds(d)
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
    variance = (diagnosis.depth - low if gap > 0 else high - diagnosis.depth) ** 2
    room = gap**2 - (1 - diagnosis.seed_share) * variance
    if room <= 0:
        return None
    needed = math.ceil(diagnosis.n_seeds * diagnosis.seed_share * variance / room)
    if needed > MAX_SEED_FACTOR * diagnosis.n_seeds:
        return None
    return max(1, needed - diagnosis.n_seeds)
