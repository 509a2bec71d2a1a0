"""From logs to curves: one metric, one row per run, on the epochs that all runs share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.diagnose.curve import MIN_EPOCHS, diagnose_curve
from overmix.diagnose.diagnosis import Diagnosis
from overmix.diagnose.logs.choice import Choice, check_metric, choose_metric
from overmix.diagnose.logs.held_out import held_out
from overmix.diagnose.logs.kinds import Kind, kind_of
from overmix.diagnose.logs.log import Column, Log, is_absent, is_numeric
from overmix.diagnose.logs.names import is_running_best, printable
from overmix.diagnose.logs.search import Found, search
from overmix.diagnose.logs.units import unit_of
from overmix.diagnose.practical import Unit
from overmix.errors import ConfigError, DataError

_UNITS: dict[Unit, str] = {
    "fraction": "shares of 1",
    "percent": "percent",
    "decibel": "decibels",
    "value": "in its own unit",
}


@dataclass(frozen=True)
class LoggedCurves:
    """A metric, read from logs.

    Attributes:
        metric: its name in the logs.
        axis: name of the horizontal axis; ``"row"`` if rows were counted.
        epochs: shape (epochs,), increasing.
        values: shape (runs, epochs), as logged.
        runs: names of the runs.
        unit: of the values: shares of 1, percent, or their own.
        others: held-out metrics of the logs that were not looked at; empty if the metric was asked for.
        notes: what a reader should know of how the logs were read.
    """

    metric: str
    axis: str
    epochs: Float[np.ndarray, " epochs"]
    values: Float[np.ndarray, "runs epochs"]
    runs: tuple[str, ...]
    unit: Unit
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def describe(self, *, lower_is_better: bool) -> str:
        """Say what is judged: the metric, its kind, direction and unit, and how much of it there is."""
        told = [self.kind.name] if self.kind and self.kind.name != self.metric else []
        told += ["lower is better" if lower_is_better else "higher is better", _UNITS[self.unit]]
        points = f"{len(self.epochs)} points" if len(self.runs) == 1 else f"{len(self.epochs)} points each"
        return f"{self.metric} ({', '.join(told)}) by {self.axis}, {points}"

    def to_dict(self) -> dict[str, Any]:
        """Return what was read, without the values, ready for JSON."""
        return {
            "metric": self.metric,
            "kind": None if self.kind is None else self.kind.name,
            "axis": self.axis,
            "runs": list(self.runs),
            "not_looked_at": list(self.others),
            "notes": list(self.notes),
        }

    @property
    def kind(self) -> Kind | None:
        """What the metric's name says that it measures."""
        return kind_of(self.metric)

    def diagnose(self, *, lower_is_better: bool | None = None) -> Diagnosis:
        """Judge them with `diagnose_curve`, in the direction that is given or that the metric's kind has.

        Args:
            lower_is_better: the direction; None reads it from the metric's name.

        Raises:
            ConfigError: if the name does not say it.
        """
        if lower_is_better is None:
            if self.kind is None:
                remedy = "the name does not say which way is better: give --lower-is-better or --higher-is-better"
                raise ConfigError("metric", self.metric, remedy)
            lower_is_better = self.kind.better == "lower"
        return diagnose_curve(self.epochs, self.values, lower_is_better=lower_is_better, unit=self.unit)


def read_curves(
    paths: Sequence[Path], *, metric: str | None = None, x: str | None = None, unit: Unit | None = None
) -> LoggedCurves:
    """Read one metric of all runs that the paths hold.

    Runs are lined up on the epochs that all of them logged. They must end at one epoch: where the end is, is what a
    depth is about.

    Args:
        paths: files or folders, of any of the tools that `READERS` has.
        metric: name of the metric; None chooses the held-out one, see `choose_metric`.
        x: name of the column for the horizontal axis; None takes ``epoch``, else ``step``, else counts rows.
        unit: of the values; None tells it from the metric's kind and the values.

    Raises:
        DataError: files that cannot be read, values that are no numbers, runs of unequal lengths.
        ConfigError: no such column, or no metric that is told to be held out.
    """
    if not paths:
        raise DataError("no path was given: name a log file or a folder")
    found = [search(Path(path)) for path in paths]
    choice = _choose(metric, [log for of_path in found for log in of_path.logs()])
    logs, notes = _runs(found, choice.metric)
    columns = [log.column(choice.metric, x) for log in logs]
    shared = reduce(np.intersect1d, (column.epochs for column in columns))
    _check_ends(logs, [float(column.epochs[-1]) for column in columns])
    values = np.stack([column.values[np.isin(column.epochs, shared)] for column in columns])
    _check_not_the_same(logs, values)
    told, doubt = _unit(choice.metric, columns, values, unit)
    notes += [column.note for column in columns if column.note]
    notes += [doubt] if doubt else []
    if is_running_best(choice.metric):
        notes.append(f"{choice.metric} seems to be a best so far, which cannot turn: this says nothing of the training")
    return LoggedCurves(
        printable(choice.metric),
        printable(columns[0].axis),
        shared,
        values,
        tuple(printable(log.name) for log in logs),
        told,
        tuple(map(printable, choice.others)),
        tuple(dict.fromkeys(map(printable, notes))),
    )


def _choose(metric: str | None, logs: Sequence[Log]) -> Choice:
    names = list(dict.fromkeys(name for log in logs for name in log.names()))
    if metric is not None:
        return check_metric(metric, names, logs[0].name)
    numeric = [name for name in names if is_numeric(logs, name)]
    candidates = _with_a_curve(numeric, logs)
    if not held_out(logs, candidates):  # what cannot be read says why
        candidates = [name for name in names if name in candidates or any(name in log.unreadable for log in logs)]
    return choose_metric(candidates, logs, logs[0].name)


def _with_a_curve(names: Sequence[str], logs: Sequence[Log]) -> Sequence[str]:
    """Leave out what was logged a few times only, such as a test after the training, if anything else can be judged."""
    lengths = {name: max(sum(not is_absent(row.get(name)) for row in log.rows) for log in logs) for name in names}
    long = [name for name in names if lengths[name] >= MIN_EPOCHS]
    return long if held_out(logs, long) else names


def _runs(found: Sequence[Found], metric: str) -> tuple[list[Log], list[str]]:
    """Return the runs that have the metric; each path must give one at least."""
    logs: list[Log] = []
    notes: list[str] = []
    for of_path in found:
        runs, left_out = of_path.runs(metric)
        logs += runs or of_path.logs()[:1]  # the first without it is named in the error
        notes += [*of_path.notes, *left_out]
    _check_distinct(logs)
    return logs, notes


def _unit(
    metric: str, columns: Sequence[Column], values: Float[np.ndarray, "runs epochs"], unit: Unit | None
) -> tuple[Unit, str | None]:
    if unit is not None:
        return unit, None
    if all(column.percent for column in columns):
        return "percent", None
    return unit_of(kind_of(metric), values, name=metric)


def _check_distinct(logs: Sequence[Log]) -> None:
    """Refuse a run that was named twice, by its file and by its folder: it would count as two seeds."""
    seen: set[str] = set()
    for log in logs:
        place = os.path.realpath(log.name)
        if place in seen:
            raise DataError(f"{log.name}: given twice; runs count as seeds, name each once")
        seen.add(place)


def _check_not_the_same(logs: Sequence[Log], values: Float[np.ndarray, "runs epochs"]) -> None:
    for i, j in combinations(range(len(values)), 2):
        if np.array_equal(values[i], values[j], equal_nan=True) and np.ptp(np.nan_to_num(values[i])) > 0:
            raise DataError(
                f"{logs[i].name} and {logs[j].name} have the same curve: copies of a run are no seeds, give one of them"
            )


def _check_ends(logs: Sequence[Log], ends: Sequence[float]) -> None:
    other = next((i for i, end in enumerate(ends) if end != ends[0]), None)
    if other is not None:
        raise DataError(
            f"unequal lengths: {logs[0].name} ends at {ends[0]:g}, {logs[other].name} at {ends[other]:g}; "
            f"give runs of one length, or each by itself"
        )
