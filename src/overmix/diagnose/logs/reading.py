"""From logs to curves: one metric, one row per run, on the epochs that all runs share."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import combinations
from pathlib import Path

import numpy as np

from overmix._typing import Float
from overmix.diagnose.axis import counted_by, written_place
from overmix.diagnose.curve import MIN_EPOCHS
from overmix.diagnose.logs.cells import is_absent
from overmix.diagnose.logs.choice import Choice, check_metric, choose_metric
from overmix.diagnose.logs.curves import LoggedCurves
from overmix.diagnose.logs.held_out import held_out
from overmix.diagnose.logs.kinds import kind_of
from overmix.diagnose.logs.log import Column, Log, is_numeric
from overmix.diagnose.logs.names import is_running_best, printable
from overmix.diagnose.logs.repeats import differing_conditions, runs_within
from overmix.diagnose.logs.search import Found, search
from overmix.diagnose.logs.units import unit_of
from overmix.diagnose.practical import Unit
from overmix.errors import ConfigError, DataError, did_you_mean


def read_curves(
    paths: Sequence[Path],
    *,
    metric: str | None = None,
    x: str | None = None,
    unit: Unit | None = None,
    where: Mapping[str, str] | None = None,
) -> LoggedCurves:
    """Read one metric of all runs that the paths hold.

    Runs are lined up on the epochs that all of them logged. They must end at one epoch: where the end is, is what a
    depth is about.

    Args:
        paths: files or folders, of any of the tools that `READERS` has.
        metric: name of the metric; None chooses the held-out one, see `choose_metric`.
        x: name of the column for the horizontal axis; None takes ``epoch``, else ``step``, else counts rows.
        unit: of the values; None tells it from the metric's kind and the values.
        where: by column, the value that rows must hold to count, such as ``{"config": "mixup"}``, ``""`` for empty
            cells; also of what tells the runs of one file apart, such as ``{"seed": "1"}``.

    Raises:
        DataError: files that cannot be read, values that are no numbers, runs of unequal lengths or of different
            axes.
        ConfigError: no such column, no metric that is told to be held out, or rows of several conditions at one
            place.
    """
    if not paths:
        raise DataError("no path was given: name a log file or a folder")
    searches = [_only(search(Path(path)), Path(path), where or {}) for path in paths]
    choice = _choose(metric, [log for of_path in searches for log in of_path.logs()])
    logs, notes = _runs(searches, choice.metric)
    logs = [run for log in logs for run in runs_within(log, choice.metric, x)]
    notes += differing_conditions(logs, choice.metric)
    columns = [log.column(choice.metric, x) for log in logs]
    _check_one_axis(logs, columns, choice.metric)
    _check_ends(logs, [float(column.epochs[-1]) for column in columns])
    shared = reduce(np.intersect1d, (column.epochs for column in columns))
    notes += _unshared(logs, columns, len(shared))
    values = np.stack([column.values[np.isin(column.epochs, shared)] for column in columns])
    _check_not_the_same(logs, values)
    _check_one_unit(logs, columns, choice.metric)
    told, doubt = _unit(choice.metric, columns, values, unit)
    notes += [note for column in columns for note in column.notes]
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


def _only(found: Found, path: Path, where: Mapping[str, str]) -> Found:
    """Leave out what does not hold the values that were asked for.

    Raises:
        ConfigError: nothing is left.
    """
    for column, value in where.items():
        left = found.only(column, value)
        if not left.sources:
            logs = found.logs()
            has = list(dict.fromkeys(held for log in logs for held in log.values(column)))
            names = list(dict.fromkeys(name for log in logs for name in (*log.names(), *log.labels)))
            remedy = (
                f"there is {', '.join(value or 'empty' for value in has[:8])}"
                if has
                else f"no such column; {did_you_mean(column, names)}"
            )
            raise ConfigError("where", f"{column}={value}", f"{path} has no such row: {remedy}")
        found = left
    return found


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


def _runs(searches: Sequence[Found], metric: str) -> tuple[list[Log], list[str]]:
    """Return the runs that have the metric; each path must give one at least."""
    logs: list[Log] = []
    notes: list[str] = []
    for of_path in searches:
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
    if any(column.percent for column in columns):
        return "percent", None
    return unit_of(kind_of(metric), values, name=metric)


def _check_one_unit(logs: Sequence[Log], columns: Sequence[Column], metric: str) -> None:
    """Refuse runs of which some have percent signs and others do not."""
    known = [(log, column) for log, column in zip(logs, columns, strict=True) if np.isfinite(column.values).any()]
    names = {column.percent: log.name for log, column in known}
    if len(names) == 2:
        raise DataError(
            f"{metric} has percent signs in {names[True]} and none in {names[False]}: write all in one unit"
        )


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


def _check_one_axis(logs: Sequence[Log], columns: Sequence[Column], metric: str) -> None:
    """Refuse runs of different axes: epoch 5 of one is not step 5 of another."""
    axes = [column.axis for column in columns]
    other = next((i for i, axis in enumerate(axes) if counted_by(axis) != counted_by(axes[0])), None)
    if other is None:
        return
    common = next((axis for axis in axes if all(log.has(metric, axis) for log in logs)), None)
    remedy = f"say which one, --x {shlex.quote(common)}" if common else "give each by itself, or log one axis in all"
    raise DataError(
        f"{logs[0].name} is by {axes[0]}, {logs[other].name} by {axes[other]}, which are not the same places: {remedy}"
    )


def _unshared(logs: Sequence[Log], columns: Sequence[Column], shared: int) -> list[str]:
    """Say that runs were logged at different places: only those that all of them have are judged."""
    counts = [len(column.epochs) for column in columns]
    most = int(np.argmax(counts))
    if counts[most] == shared:
        return []
    return [f"judged are the {shared} looks at places that all runs logged; {logs[most].name} has {counts[most]}"]


def _check_ends(logs: Sequence[Log], ends: Sequence[float]) -> None:
    other = next((i for i, end in enumerate(ends) if end != ends[0]), None)
    if other is not None:
        raise DataError(
            f"unequal lengths: {logs[0].name} ends at {written_place(ends[0])}, {logs[other].name} at "
            f"{written_place(ends[other])}; give runs of one length, or each by itself, by its path or --where"
        )
