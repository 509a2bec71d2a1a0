"""Tables of rows, in the forms that people log them: by split, by run, in long form, or exported from a chart."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from overmix.diagnose.logs.cells import is_absent, is_number
from overmix.diagnose.logs.log import AXES, Log
from overmix.diagnose.logs.names import split_of_text

LogRow = Mapping[str, object]

RUN_COLUMNS = ("seed", "run", "run_id", "run_name", "replica", "trial")
SPLIT_COLUMNS = ("phase", "split", "mode", "stage", "subset", "set", "dataset", "partition")
NAME_COLUMNS = ("metric", "metrics", "name", "metric_name", "variable", "key", "tag")
VALUE_COLUMN = "value"
_LOWEST, _HIGHEST = "__MIN", "__MAX"


def logs_of(name: str, rows: Sequence[LogRow], hint: str = "") -> list[Log]:
    """Return the runs that a table of rows holds, one log each.

    - A column such as ``metric`` beside ``value`` names what stands there (long form).
    - A column such as ``phase`` or ``split`` that holds nothing but names of splits says where a row was measured;
      its metrics become ``val/acc`` and the like.
    - A column such as ``seed`` or ``run`` tells runs apart, and so do columns ``run - metric`` that Weights & Biases
      exports, with ``__MIN`` and ``__MAX`` beside each.
    """
    names = list(dict.fromkeys(column for row in rows for column in row))
    charted = _charted(names)
    if charted:
        return [Log(f"{name} ({run})", _of_chart(rows, columns)) for run, columns in charted.items()]
    rows = _by_split(_widened(rows, names), names)
    column = _column(names, RUN_COLUMNS)
    if column is None:
        return [Log(name, rows, hint=hint)]
    runs: dict[object, list[LogRow]] = {}
    for row in rows:
        runs.setdefault(row.get(column), []).append({key: value for key, value in row.items() if key != column})
    return [Log(f"{name} ({column} {run})", found) for run, found in runs.items()]


def _column(names: Sequence[str], known: Sequence[str]) -> str | None:
    return next((name for name in names if name.lower() in known), None)


def _charted(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return, by run, the columns of a chart that Weights & Biases exported, and the metrics that they hold."""
    runs: dict[str, dict[str, str]] = {}
    for name in names:
        run, _, metric = name.partition(" - ")
        if metric and f"{name}{_LOWEST}" in names and f"{name}{_HIGHEST}" in names:
            runs.setdefault(run, {})[name] = metric
    return runs


def _of_chart(rows: Sequence[LogRow], columns: Mapping[str, str]) -> list[LogRow]:
    return [
        {columns.get(name, name): value for name, value in row.items() if name in columns or name.lower() in AXES}
        for row in rows
    ]


def _widened(rows: Sequence[LogRow], names: Sequence[str]) -> Sequence[LogRow]:
    """Turn long form, a row per value, into a row per look."""
    naming, value = _column(names, NAME_COLUMNS), _column(names, (VALUE_COLUMN,))
    if naming is None or value is None or any(is_number(row.get(naming)) for row in rows):
        return rows
    return [
        {name: cell for name, cell in row.items() if name not in (naming, value)} | {str(row[naming]): row[value]}
        for row in rows
        if not is_absent(row.get(naming)) and value in row
    ]


def _by_split(rows: Sequence[LogRow], names: Sequence[str]) -> Sequence[LogRow]:
    column = next((name for name in names if name.lower() in SPLIT_COLUMNS and _tells_splits(rows, name)), None)
    if column is None:
        return rows
    beside = {column, *(name for name in names if name.lower() in (*AXES, *RUN_COLUMNS))}
    return [row if is_absent(row.get(column)) else _named_by(row, column, beside) for row in rows]


def _named_by(row: LogRow, column: str, beside: Container[str]) -> LogRow:
    """Put a row's split before the names of its metrics."""
    kept = {name: value for name, value in row.items() if name != column}
    return {name if name in beside else f"{row[column]}/{name}": value for name, value in kept.items()}


def _tells_splits(rows: Sequence[LogRow], name: str) -> bool:
    said = [row[name] for row in rows if not is_absent(row.get(name))]
    return bool(said) and all(split_of_text(value) is not None for value in said)
