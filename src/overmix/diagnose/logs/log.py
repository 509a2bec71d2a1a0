"""What any log comes down to: rows of named values, many of them absent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from overmix._typing import Float
from overmix.errors import ConfigError, DataError, did_you_mean

AXES = ("epoch", "epochs", "step", "global_step", "steps", "iteration", "iter", "trainer/global_step")
ABSENT = ("", "na", "n/a", "null", "none", "-")


@dataclass(frozen=True)
class Log:
    """One run's log.

    Attributes:
        name: the file or folder, for messages.
        rows: one mapping per row, from names to numbers or the text that stood there.
    """

    name: str
    rows: Sequence[Mapping[str, object]]

    def names(self) -> list[str]:
        """Names of all columns, in the order in which they appear."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def axis(self, wanted: str | None, metric: str) -> str | None:
        """Name of the column that is the horizontal axis; None to count rows."""
        names = self.names()
        if wanted is not None:
            if wanted not in names:
                raise ConfigError("x", wanted, f"{self.name} has no such column; {did_you_mean(wanted, names)}")
            return wanted
        beside = {name for row in self.rows if not is_absent(row.get(metric)) for name in row}
        return next((name for axis in AXES for name in names if name.lower() == axis and name in beside), None)

    def column(self, metric: str, x: str | None) -> tuple[Float[np.ndarray, " epochs"], Float[np.ndarray, " epochs"]]:
        """Epochs and values of a metric, sorted; of rows with one epoch the last counts, as in resumed runs.

        Raises:
            ConfigError: no such column.
            DataError: no values, or one that is no number.
        """
        if metric == x or (x is None and metric == self.axis(None, metric)):
            raise ConfigError("metric", metric, "it is the horizontal axis: name what is to be judged")
        if metric not in self.names():
            raise ConfigError("metric", metric, f"{self.name} has no such column; {did_you_mean(metric, self.names())}")
        axis = self.axis(x, metric)
        found: dict[float, float] = {}
        for number, row in enumerate(self.rows, start=1):
            value, at = row.get(metric), number if axis is None else row.get(axis)
            if is_absent(value) or is_absent(at):
                continue
            epoch = self._number(at, axis or "row", number)
            if not math.isfinite(epoch):
                raise DataError(f"{self.name}, row {number}: {axis} = {epoch:g} is no place on an axis: mend that row")
            found[epoch] = self._number(value, metric, number)
        if not found:
            raise DataError(f"{self.name}: {metric} has no values")
        order = sorted(found)
        return _without_holes(np.array(order), np.array([found[at] for at in order], dtype=np.float64))

    def _number(self, value: object, name: str, row: int) -> float:
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise DataError(f"{self.name}, row {row}: {name} = {value!r} is not a number") from None


def _without_holes(
    epochs: Float[np.ndarray, " epochs"], values: Float[np.ndarray, " epochs"]
) -> tuple[Float[np.ndarray, " looks"], Float[np.ndarray, " looks"]]:
    """Leave out each NaN that a number follows: loggers write it where there was no look. At the end a run diverged."""
    last = np.flatnonzero(np.isfinite(values))[-1:]
    kept = ~np.isnan(values) | (np.arange(len(values)) > (last[0] if last.size else -1))
    return epochs[kept], values[kept]


def is_absent(value: object) -> bool:
    """Whether a cell is empty. A NaN that was written is not: it tells of a run that diverged.

    Example:
        >>> is_absent(""), is_absent(None), is_absent("nan"), is_absent(0.0)
        (True, True, False, False)
    """
    return value is None or (isinstance(value, str) and value.strip().lower() in ABSENT)


def is_numeric(log: Log, name: str) -> bool:
    """Whether the first value of a column is a number."""
    first = next((row[name] for row in log.rows if name in row and not is_absent(row[name])), None)
    try:
        return first is not None and not math.isinf(float(first))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
