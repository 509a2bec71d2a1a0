"""What any log comes down to: rows of named values, many of them absent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from overmix._typing import Float
from overmix.diagnose.axis import AXES, written_place
from overmix.diagnose.logs.cells import (
    UnclearNumberError,
    is_absent,
    is_number,
    is_percent,
    label,
    parsed_number,
    place,
    says,
)
from overmix.diagnose.logs.looks import LoggedValue, last_of_each, several_at_once, without_holes
from overmix.diagnose.logs.rewinds import longest_run
from overmix.errors import ConfigError, DataError, did_you_mean

_FEW = 10  # epochs; a log of fewer whose steps are more was looked at several times in each


@dataclass(frozen=True)
class Column:
    """One metric of one run.

    Attributes:
        axis: name of the horizontal axis; ``"row"`` if rows were counted.
        epochs: shape (epochs,), increasing.
        values: shape (epochs,).
        percent: whether the values were written with a percent sign.
        notes: what a reader should know of how they were read.
    """

    axis: str
    epochs: Float[np.ndarray, " epochs"]
    values: Float[np.ndarray, " epochs"]
    percent: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Log:
    """One run's log.

    Attributes:
        name: the file or folder, for messages.
        rows: one mapping per row, from names to numbers or the text that stood there.
        unreadable: names that stand in the file and cannot be judged, and why.
        hint: what to do if no metric is told by its name.
        labels: what tells it apart from the other runs of its file, such as ``{"seed": "1"}``.
    """

    name: str
    rows: Sequence[Mapping[str, object]]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Names of all columns, in the order in which they appear."""
        return list(dict.fromkeys((*(name for row in self.rows for name in row), *self.unreadable)))

    def values(self, column: str) -> list[str]:
        """Return the different values that a column holds, or the one by which this run was told apart, as text."""
        if column in self.labels:
            return [self.labels[column]]
        cells = (label(row.get(column)) for row in self.rows)
        return list(dict.fromkeys(cell for cell in cells if cell is not None))

    def only(self, column: str, value: str) -> Log:
        """Return the log with nothing but the rows whose column holds a value; they may be none.

        The value ``""`` is that of empty cells. What stands in one row alone, such as the settings that a tool writes
        first, is said of the whole log.
        """
        if column in self.labels:
            return self if says(self.labels[column], value) else replace(self, rows=())
        held = [cell for cell in (label(row.get(column)) for row in self.rows) if cell is not None]
        if len(held) == 1 < len(self.rows):
            return self if says(held[0], value) else replace(self, rows=())
        known = column in self.names()
        rows = [row for row in self.rows if known and says(row.get(column), value)]
        return replace(self, name=f"{self.name} ({column} {value or 'empty'})", rows=rows)

    def has(self, *columns: str) -> bool:
        """Whether a row has values in all of these columns."""
        return any(not any(is_absent(row.get(column)) for column in columns) for row in self.rows)

    def column(self, metric: str, x: str | None) -> Column:
        """Return a metric, sorted; of several values at one place the last counts.

        Raises:
            ConfigError: no such column.
            DataError: no values, or one that is no number.
        """
        axis, looks = self.looks(metric, x)
        kept, went_back = longest_run([look.place for look in looks], axis or "row")
        run = [looks[i] for i in kept]
        last = last_of_each(run)
        order = sorted(last)
        epochs, seen = without_holes(np.array(order), np.array([last[at] for at in order], dtype=np.float64))
        percent = any(is_percent(look.row[metric]) for look in looks)
        notes = [note for note in (went_back, self._repeated(run, axis)) if note]
        return Column(axis or "row", epochs, seen, percent, tuple(f"{self.name}: {note}" for note in notes))

    def _repeated(self, looks: Sequence[LoggedValue], axis: str | None) -> str | None:
        """Say that places have several values, and which other axis would tell them apart."""
        several = several_at_once(looks)
        if axis is None or not several:
            return None
        place, n = next(iter(several.items()))
        others = [name for name in self.names() if name.lower() in AXES and name != axis]
        finer = next((name for name in others if len({str(look.row.get(name)) for look in looks}) == len(looks)), None)
        remedy = f"; --x {finer} tells them apart" if finer else "; if they are of several runs, give each a file"
        told = f"{n} values, of which the last counts (several at {len(several)} places)"
        return f"{axis} {written_place(place)} has {told}{remedy}"

    def looks(self, metric: str, x: str | None) -> tuple[str | None, list[LoggedValue]]:
        """Return the horizontal axis of a metric, None if rows are counted, and its values in the order of the log.

        Raises:
            ConfigError: no such column.
            DataError: no values, or one that is no number.
        """
        axis, rows = self._looks(metric, x)
        places = [float(at) if axis is None else self._place(row[axis], axis, at) for at, row in rows.items()]
        values = [self._read(parsed_number, row[metric], metric, at) for at, row in rows.items()]
        self._check_percent(metric, rows)
        return axis, [LoggedValue(*look) for look in zip(places, values, rows.values(), strict=True)]

    def _check_percent(self, metric: str, rows: Mapping[int, Mapping[str, object]]) -> None:
        """Refuse values of which some have a percent sign: ``92.1%`` and ``0.93`` have two units. NaN needs none."""
        finite = {at: row[metric] for at, row in rows.items() if math.isfinite(parsed_number(row[metric]))}
        first = {is_percent(value): at for at, value in reversed(finite.items())}
        if len(first) == 2:
            places = f"row {first[True]} ({finite[first[True]]}) has a percent sign, row {first[False]} none"
            raise DataError(f"{self.name}: {metric}: {places} ({finite[first[False]]}): write all in one unit")

    def _looks(self, metric: str, x: str | None) -> tuple[str | None, dict[int, Mapping[str, object]]]:
        """Return the horizontal axis of a metric, None to count rows, and the rows that have both, by their number."""
        if metric not in self.names():
            raise ConfigError("metric", metric, f"{self.name} has no such column; {did_you_mean(metric, self.names())}")
        if metric in self.unreadable:
            raise DataError(f"{self.name}: {self.unreadable[metric]}")
        if metric == x or (x is None and metric.lower() in AXES):
            raise ConfigError("metric", metric, "it is the horizontal axis: name what is to be judged")
        rows = {at: row for at, row in enumerate(self.rows, start=1) if not is_absent(row.get(metric))}
        if not rows:
            raise DataError(f"{self.name}: {metric} has no values")
        axis = self._axis(x, list(rows.values()))
        if axis is None:
            return None, rows
        placed = {at: row for at, row in rows.items() if not is_absent(row.get(axis))}
        if not placed:
            raise DataError(f"{self.name}: {metric} has no values where {axis} has any: name another column with --x")
        return axis, placed

    def _axis(self, wanted: str | None, rows: Sequence[Mapping[str, object]]) -> str | None:
        """Name of the column that is the horizontal axis of a metric's rows; None to count rows."""
        names = self.names()
        if wanted is not None:
            if wanted not in names:
                raise ConfigError("x", wanted, f"{self.name} has no such column; {did_you_mean(wanted, names)}")
            return wanted
        preferred = list(AXES)
        axes = sorted((name for name in names if name.lower() in AXES), key=lambda name: preferred.index(name.lower()))
        counts = {name: [str(row[name]) for row in rows if not is_absent(row.get(name))] for name in axes}
        distinct = {name: len(set(cells)) for name, cells in counts.items() if 2 * len(cells) > len(rows)}
        best = max(distinct, key=lambda name: min(distinct[name], _FEW), default=None)
        stands_still = best is not None and distinct[best] == 1 < len(rows)  # MLflow's step, where none was given
        return None if stands_still else best

    def _place(self, value: object, axis: str, row: int) -> float:
        at = self._read(place, value, axis, row)
        if not math.isfinite(at):
            raise DataError(f"{self.name}, row {row}: {axis} = {at:g} is no place on an axis: mend that row")
        return at

    def _read(self, reading: Callable[[object], float], value: object, name: str, row: int) -> float:
        try:
            return reading(value)
        except UnclearNumberError as error:
            raise DataError(str(error)) from None
        except OverflowError:
            raise DataError(f"{self.name}, row {row}: {name} is a whole number beyond 1e308: mend that row") from None
        except (TypeError, ValueError):
            shown = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}…"
            raise DataError(f"{self.name}, row {row}: {name} = {shown} is not a number") from None


def is_numeric(logs: Iterable[Log], name: str) -> bool:
    """Whether the first value of a column, in any of the logs, is a number; infinity stands for a best before any."""
    for log in logs:
        first = next((row[name] for row in log.rows if name in row and not is_absent(row[name])), None)
        if is_number(first) and str(first).strip().lower() not in ("inf", "-inf", "infinity", "-infinity"):
            return True
    return False
