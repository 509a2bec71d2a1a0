"""Several rows at one place of a log: folds and seeds are runs, conditions are asked for, else the last counts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from overmix.diagnose.axis import AXES
from overmix.diagnose.logs.cells import label
from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.looks import LoggedValue, several_at_once
from overmix.errors import ConfigError

RUN_COLUMNS = tuple(
    "seed random_seed seed_id run run_id run_name run_idx run_index replica replicate repetition repeat rep trial "
    "trial_id fold fold_id fold_idx kfold cv_fold".split()
)
"""Columns that tell repetitions of one training apart."""

_CONDITIONS = tuple(
    "config configuration condition model arch architecture recipe method variant arm setting augmentation".split()
)
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
        return [run for part in _split(log, repeating[0]) for run in runs_within(part, metric, x)]
    other = next((name for name in crossing if name not in repeating), None)
    if other is None or not _tell_apart(looks, crossing):
        return [log]
    values = log.values(other)
    place = min(look.place for look in looks)
    raise ConfigError(
        "where",
        None,
        f"{log.name} has several values of {metric} at {axis} {place:g}, one or more for each {other} "
        f"({_listed(values)}): conditions are not averaged, choose one, such as --where "
        f"{shlex.quote(f'{other}={values[0]}')}",
    )


def differing_conditions(logs: Sequence[Log]) -> list[str]:
    """Say which columns of conditions differ between runs that are about to be taken as seeds of one training."""
    said = []
    names = dict.fromkeys(name for log in logs for name in log.names() if name.lower() in _CONDITIONS)
    for name in names:
        values = list(dict.fromkeys(value for log in logs for value in log.values(name)))
        if len(values) > 1:
            choose = f"choose one, such as --where {shlex.quote(f'{name}={values[0]}')}"
            said.append(f"{name} differs between the runs ({_listed(values)}): if that is more than a seed, {choose}")
    return said


def only_where(logs: Sequence[Log], column: str, value: str) -> list[Log]:
    """Return the logs, and of each the rows, whose column holds a value."""
    kept = [log.only(column, value) for log in logs]
    return [log for log in kept if log.rows]


def _split(log: Log, column: str) -> list[Log]:
    rows: dict[str, list[Mapping[str, object]]] = {}
    for row in log.rows:
        value = label(row.get(column))
        if value is not None:
            rows.setdefault(value, []).append({name: cell for name, cell in row.items() if name != column})
    return [
        replace(log, name=f"{log.name} ({column} {value})", rows=of_value, labels={**log.labels, column: value})
        for value, of_value in rows.items()
    ]


def _crosses(looks: Sequence[LoggedValue], column: str) -> bool:
    """Whether each of a column's values, two or more, has a curve of its own from the first place on."""
    places: dict[str, set[float]] = {}
    for look in looks:
        value = label(look.row.get(column))
        if value is None:
            return False
        places.setdefault(value, set()).add(look.place)
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
    return ", ".join(values[:_LISTED]) + (f" and {more} more" if more > 0 else "")
