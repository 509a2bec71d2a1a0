"""Several rows at one place of a log: folds and seeds are runs, conditions are asked for, else the last counts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from overmix.diagnose.axis import AXES
from overmix.diagnose.logs.cells import label
from overmix.diagnose.logs.kinds import kind_of
from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.looks import LoggedValue, several_at_once
from overmix.diagnose.logs.names import split_of
from overmix.errors import ConfigError

RUN_COLUMNS = tuple(
    "seed random_seed seed_id run run_id run_name run_idx run_index replica replicate repetition repeat rep trial "
    "trial_id fold fold_id fold_idx kfold cv_fold".split()
)
"""Columns that tell repetitions of one training apart."""
_WITHIN_EPOCH = (*AXES, "batch", "batch_idx", "batch_index", "batch_id", "minibatch")
_LISTED = 8  # values of a column that are named


def runs_within(log: Log, metric: str, x: str | None) -> list[Log]:
    """Return the runs that a log holds, told apart by a column of folds, seeds or the like; mostly it is one.

    Columns matter only where a place has several values: then those whose every value begins where the log begins,
    and which together leave one value to a place, tell what was repeated.

    Raises:
        ConfigError: it takes a column of another name, such as ``config``, to tell the rows apart: conditions are not
            averaged, and which one is meant must be said.
    """
    axis, looks = log.looks(metric, x)
    if axis is None or len({(look.place, look.value) for look in looks}) == len({look.place for look in looks}):
        return [log]
    names = [name for name in log.names() if name not in (metric, axis) and name.lower() not in _WITHIN_EPOCH]
    crossing = [name for name in names if _crosses(looks, name)]
    repeating = [name for name in crossing if name.lower() in RUN_COLUMNS]
    if repeating and _tell_apart(looks, repeating):
        parts = [part for part in split_by(log, repeating[0]) if part.has(metric, axis)]
        return [run for part in parts for run in runs_within(part, metric, x)]
    other = next((name for name in crossing if name not in repeating), None)
    if other is None or not _tell_apart(looks, crossing):
        return [log]
    values = sorted({label(look.row.get(other)) or "": None for look in looks}, key=lambda value: not value)
    place = min(look.place for look in looks)
    raise ConfigError(
        "where",
        None,
        f"{log.name} has several values of {metric} at {axis} {place:g}, one or more for each {other} "
        f"({_listed(values)}): conditions are not averaged, choose one, such as --where "
        f"{shlex.quote(f'{other}={values[0]}')}",
    )


def differing_conditions(logs: Sequence[Log], metric: str) -> list[str]:
    """Say which settings differ between runs that are about to be taken as seeds of one training."""
    settings = [_settings(log) for log in logs] if len(logs) > 1 else []
    said = []
    for name in dict.fromkeys(name for of_run in settings for name in of_run):
        values = sorted({of_run[name]: None for of_run in settings if name in of_run}, key=lambda value: not value)
        if len(values) > 1 and name != metric:
            choose = f"choose one, such as --where {shlex.quote(f'{name}={values[0]}')}"
            said.append(f"{name} differs between the runs ({_listed(values)}): if that is more than a seed, {choose}")
    return said


def _settings(log: Log) -> dict[str, str]:
    """Return what a run was given, by column: one value from first to last, ``""`` of a column that is empty.

    What stands in the last row alone is a result. So is what measures a split, though it may never change.
    """
    seen: dict[str, set[str]] = {}
    for row in log.rows:
        for name, cell in row.items():
            values = seen.setdefault(name, set())
            if len(values) < 2 and (value := label(cell)) is not None:
                values.add(value)
    single = {
        name: next(iter(values), "") for name, values in seen.items() if len(values) < 2 and _may_be_setting(name)
    }
    early = {name for name in single if any(label(row.get(name)) is not None for row in log.rows[:-1])}
    return {name: value for name, value in single.items() if name in early or not value}


def _may_be_setting(name: str) -> bool:
    measured = kind_of(name) is not None and split_of(name) is not None
    return not measured and name.lower() not in (*RUN_COLUMNS, *_WITHIN_EPOCH)


def only_where(logs: Sequence[Log], column: str, value: str) -> list[Log]:
    """Return the logs, and of each the rows, whose column holds a value."""
    kept = [log.only(column, value) for log in logs]
    return [log for log in kept if log.rows]


def split_by(log: Log, column: str) -> list[Log]:
    """Return a log for each value of a column, and one for its empty cells, labelled ``""``."""
    rows: dict[str, list[Mapping[str, object]]] = {}
    for row in log.rows:
        others = {name: cell for name, cell in row.items() if name != column}
        rows.setdefault(label(row.get(column)) or "", []).append(others)
    return [
        replace(
            log, name=f"{log.name} ({column} {value or 'empty'})", rows=of_value, labels={**log.labels, column: value}
        )
        for value, of_value in rows.items()
    ]


def _crosses(looks: Sequence[LoggedValue], column: str) -> bool:
    """Whether each of a column's values, two or more, has a curve of its own from the first place on.

    No value is one too: pandas leaves the cell empty where a condition is called None.
    """
    places: dict[str, set[float]] = {}
    for look in looks:
        places.setdefault(label(look.row.get(column)) or "", set()).add(look.place)
    first = min(look.place for look in looks)
    return len(places) > 1 and all(len(at) > 1 and first in at for at in places.values())


def _tell_apart(looks: Sequence[LoggedValue], columns: Sequence[str]) -> bool:
    """Whether no two values of one place, one behind the other, are left where all these columns are the same."""
    groups: dict[tuple[str | None, ...], list[LoggedValue]] = {}
    for look in looks:
        groups.setdefault(tuple(label(look.row.get(column)) for column in columns), []).append(look)
    return not any(several_at_once(group) for group in groups.values())


def _listed(values: Sequence[str]) -> str:
    more = len(values) - _LISTED
    return ", ".join(value or "empty" for value in values[:_LISTED]) + (f" and {more} more" if more > 0 else "")
