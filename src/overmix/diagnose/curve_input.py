"""A logged curve, made ready: checked, rid of diverged runs, turned so that lower is better, not too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from overmix._typing import Float, Shaped
from overmix.diagnose.checks import check_epochs
from overmix.diagnose.practical import Unit
from overmix.errors import ConfigError, DataError

MAX_EPOCHS = 1024  # longer logs are averaged in blocks: neighbouring steps say the same

LARGEST = 1e100


@dataclass(frozen=True)
class Curves:
    """Curves that are better where they are lower.

    Attributes:
        epochs: shape (epochs,), increasing.
        values: shape (seeds, epochs), finite.
        unit: of the values.
        lower_is_better: whether they were so from the start.
        n_diverged: runs that became infinite or NaN.
        usable: False if all runs diverged; the curves then end before.
    """

    epochs: Float[np.ndarray, " epochs"]
    values: Float[np.ndarray, "seeds epochs"]
    unit: Unit
    lower_is_better: bool
    n_diverged: int
    usable: bool

    def as_given(self, value: float) -> float:
        """Turn a value back to what the user gave."""
        return float(value) if self.lower_is_better else _ceiling(self.unit) - float(value)


def prepare(
    epochs: Shaped[np.ndarray, " epochs"],
    values: Shaped[np.ndarray, "*seeds epochs"],
    *,
    lower_is_better: bool,
    unit: Unit | Literal["auto"],
) -> Curves:
    """Make a log ready to be judged.

    Raises:
        DataError: epochs and values do not fit together, are no numbers, or have holes.
        ConfigError: another unit.
    """
    if not isinstance(lower_is_better, bool):
        raise ConfigError("lower_is_better", lower_is_better, "use True or False")
    if unit not in ("auto", *get_args(Unit)):
        raise ConfigError("unit", unit, "use 'auto', 'fraction', 'percent', 'decibel' or 'value'")
    if values.ndim not in (1, 2) or values.size == 0 or values.dtype.kind not in "iufb":
        raise DataError(f"values have shape {values.shape} and dtype {values.dtype}: give (epochs,) or (seeds, epochs)")
    grid = check_epochs(epochs, values.shape[-1])
    curves = np.atleast_2d(values).astype(np.float64)
    if (bad := np.argwhere(np.isfinite(curves) & (np.abs(curves) > LARGEST))).size:
        row, at = (int(i) for i in bad[0])
        raise DataError(f"values[{row}, {at}] = {curves[row, at]:g}: squares beyond {LARGEST:g} overflow: rescale")
    ends = np.array([_finite_length(curve, row) for row, curve in enumerate(curves)])
    whole = ends == len(grid)
    usable = bool(whole.any())
    kept = curves[whole] if usable else curves[:, : ends.min()]
    grid = grid[: kept.shape[1]]
    kind = unit_of(float(kept.max()), float(kept.min())) if unit == "auto" else unit
    turned = kept if lower_is_better else _ceiling(kind) - kept
    grid, turned = _in_blocks(grid, turned)
    return Curves(grid, turned, kind, lower_is_better, int((~whole).sum()), usable)


def _finite_length(curve: Float[np.ndarray, " epochs"], row: int) -> int:
    """Length up to where the curve diverges for good; a hole in the middle is an error."""
    finite = np.isfinite(curve)
    length = len(curve) if finite.all() else int(np.argmin(finite))
    if finite[length:].any():
        raise DataError(f"values[{row}, {length}] = {curve[length]}: give finite numbers, or leave such epochs out")
    if length == 0:
        raise DataError(f"values[{row}, 0] = {curve[0]}: this run has no finite value, leave it out")
    return length


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


def _ceiling(unit: Unit) -> float:
    """Return what a value is subtracted from to turn it around."""
    return {"fraction": 1.0, "percent": 100.0}.get(unit, 0.0)


def _in_blocks(
    grid: Float[np.ndarray, " epochs"], curves: Float[np.ndarray, "seeds epochs"]
) -> tuple[Float[np.ndarray, " blocks"], Float[np.ndarray, "seeds blocks"]]:
    """Average neighbours, as many as it takes; a block stands at its last epoch, so that the end stays the end."""
    size = -(-len(grid) // MAX_EPOCHS)
    if size == 1:
        return grid, curves
    # A first block that is not full leaves all others, the last one above all, with as many values each.
    starts = np.concatenate([[0], np.arange(len(grid) % size or size, len(grid), size)])
    counts = np.diff(np.append(starts, len(grid)))
    return grid[starts + counts - 1], np.add.reduceat(curves, starts, axis=1) / counts
