"""What `diagnose_curve` returns, and its sentence for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from overmix.diagnose.diagnosis import ERROR_DELTA, RELATIVE_DELTA, Interval, Verdict

Unit = Literal["fraction", "percent", "value"]


@dataclass(frozen=True, kw_only=True)
class CurveDiagnosis:
    """Did this curve turn?

    Attributes:
        verdict: ``"u-shaped"``, ``"monotone"`` or ``"undecided"``.
        turning_epoch: where the smoothed mean curve is best.
        turning_epoch_ci: its interval, both ends epochs of the curve; None where nothing could be estimated.
        depth: by how much the end is worse than the turning point, freed of the selection bias of a minimum of noise.
            In the values' own unit, positive if the end is worse, whichever direction is better.
        depth_ci: its interval; None where nothing could be estimated.
        delta: the smallest depth that matters, in the same unit.
        best: the smoothed mean curve at the turning epoch, in the values' own unit.
        final: the smoothed mean curve at the last epoch.
        n_seeds: runs that were judged.
        n_diverged: runs left out, or cut off, because they became infinite or NaN.
        n_epochs: epochs that were judged.
        method: ``"seeds"``, a bootstrap over seeds (five or more); ``"curve"``, simulated noise along the mean curve
            (fewer), which says how sure the shape of this curve is but nothing of another seed; ``"none"``.
        unit: ``"fraction"`` and ``"percent"`` for rates, ``"value"`` for anything else.
        lower_is_better: the direction in which it was judged.
        level: of the intervals.
        p_value: of the curve against the nearest one that only improves (method ``"curve"``).
        rho: correlation of neighbouring epochs' noise, an upper estimate (method ``"curve"``).
        reason: why it is undecided, or what else must be known; None if there is nothing to say.
    """

    verdict: Verdict
    turning_epoch: int | float
    turning_epoch_ci: Interval | None
    depth: float
    depth_ci: Interval | None
    delta: float
    best: float
    final: float
    n_seeds: int
    n_diverged: int
    n_epochs: int
    method: Literal["seeds", "curve", "none"]
    unit: Unit
    lower_is_better: bool
    level: float
    p_value: float | None = None
    rho: float | None = None
    reason: str | None = None

    @property
    def advice(self) -> str:
        """What was seen and what to do. A curve alone does not know how it was trained, hence the "if"."""
        because = f" {self.reason}" if self.reason else ""
        if self.verdict == "u-shaped":
            return (
                f"U-shaped: best near epoch {self.turning_epoch:g}{self._range()}, {self._size(self.depth)} worse at "
                f"the end. If Mixup was on all along, try switching it off near epoch {self.turning_epoch:g}; if not, "
                f"stop there.{because}"
            )
        if self.verdict == "monotone":
            return f"Monotone: the end is within {self._size(self.delta)} of the best; train on as you do.{because}"
        if self.depth_ci is None:
            return f"Undecided:{because}"
        low, high = (self._size(x, signed=True) for x in self.depth_ci)
        return f"Undecided: the end is between {low} and {high} worse than the best; {self._remedy()}.{because}"

    def _range(self) -> str:
        if self.turning_epoch_ci is None:
            return ""
        low, high = self.turning_epoch_ci
        return f" ({low:g} to {high:g})"

    def _size(self, size: float, *, signed: bool = False) -> str:
        sign = "+" if signed and size > 0 else ""
        if self.unit == "value":
            return f"{sign}{size:.3g}"
        return f"{sign}{(100 if self.unit == 'fraction' else 1) * size:.2g} points"

    def _remedy(self) -> str:
        matters = f"{self._size(self.delta)} would matter"
        if self.method == "seeds":
            return f"{matters}, more seeds would help"
        return f"{matters}, five seeds or more would help, or a score at more epochs and on more held-out samples"

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists, ready for JSON."""
        plain = asdict(self) | {"advice": self.advice}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def unit_of(highest: float, lowest: float) -> Unit:
    """Guess what the values are: rates in [0, 1], rates in percent, or anything else.

    Percent is told by a value between 10 and 100; so an error rate that never exceeds 10 % must be given as a fraction.

    Example:
        >>> unit_of(0.9, 0.05), unit_of(90.0, 5.0), unit_of(2.3, 0.4)
        ('fraction', 'percent', 'value')
    """
    if lowest < 0 or highest > 100:
        return "value"
    if highest <= 1:
        return "fraction"
    return "percent" if highest > 10 else "value"


def size_that_matters(best: float, unit: Unit) -> float:
    """Smallest depth that matters: 5 % of the best value, for rates at least half a percentage point.

    Args:
        best: the value at the turning epoch, turned so that lower is better.
        unit: of the values.

    Example:
        >>> round(size_that_matters(0.06, "fraction"), 4), size_that_matters(30.0, "percent")
        (0.005, 1.5)
    """
    floor = {"fraction": ERROR_DELTA, "percent": 100 * ERROR_DELTA, "value": 0.0}[unit]
    return max(floor, RELATIVE_DELTA * abs(best))
