"""Does a curve over seeds turn? Its lowest point, its end, and the rise between them, cross-fitted over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.diagnose.practical import Verdict, practical_size, verdict_of
from overmix.report.explain.estimate import over_seeds
from overmix.report.numbers import significant


@dataclass(frozen=True)
class Turn:
    """The shape of a mean curve; estimates as :func:`over_seeds` gives them."""

    step: float
    lowest: dict[str, Any]
    final: dict[str, Any]
    rise: dict[str, Any]
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {
            "turning_step": self.step,
            "lowest": self.lowest,
            "final": self.final,
            "rise": self.rise,
            "verdict": self.verdict,
        }

    def cells(self) -> list[str]:
        """Return it as a row of text."""
        shape = "U-shaped" if self.verdict == "u-shaped" else self.verdict
        return [_cell(self.lowest), f"{self.step:,.0f}", _cell(self.final), _cell(self.rise), shape]


def turn_of(steps: Float[np.ndarray, " points"], rows: Float[np.ndarray, "seeds points"]) -> Turn:
    """Return the shape of the mean of ``rows``.

    ``rise_i = row_i(end) - row_i(argmin of the mean of the other rows)``: the minimum of a noisy curve is too low, and
    choosing it on the other seeds takes that out. With one seed there is no interval and no verdict.

    Args:
        steps: where the curves were read.
        rows: one curve per seed.

    Example:
        >>> steps, curve = np.arange(3.0), np.array([3.0, 1.0, 2.0])
        >>> turn = turn_of(steps, np.stack([curve, curve + 0.01, curve - 0.01]))
        >>> turn.step, turn.verdict
        (1.0, 'u-shaped')
    """
    n, mean = len(rows), rows.mean(axis=0)
    k = int(np.argmin(mean))
    others = [int(np.argmin(np.delete(rows, i, axis=0).mean(axis=0))) if n > 1 else k for i in range(n)]
    lowest = np.array([row[j] for row, j in zip(rows, others, strict=True)])
    rise = over_seeds(rows[:, -1] - lowest)
    delta = practical_size(float(lowest.mean()), "value")
    verdict = "undecided" if rise["ci"] is None else verdict_of(rise["ci"], delta)
    return Turn(float(steps[k]), over_seeds(lowest), over_seeds(rows[:, -1]), rise, verdict)


def _cell(estimate: dict[str, Any]) -> str:
    low, high = estimate["ci"] or (None, None)
    return significant(estimate["mean"], low, high)
