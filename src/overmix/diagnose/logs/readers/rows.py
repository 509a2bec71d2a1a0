"""Tables of rows, in the forms that people log them: by split, by run, in long form, or exported from a chart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence

from overmix.diagnose.axis import AXES
from overmix.diagnose.logs.cells import is_absent, is_number, label
from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.names import split_of_text
from overmix.diagnose.logs.repeats import RUN_COLUMNS, split_by

LogRow = Mapping[str, object]

SPLIT_COLUMNS = ("phase", "split", "mode", "stage", "subset", "set", "dataset", "partition")
NAME_COLUMNS = ("metric", "metrics", "name", "metric_name", "variable", "key", "tag")
VALUE_COLUMN = "value"
_LOWEST, _HIGHEST = "__MIN", "__MAX"


def logs_of(name: str, rows: Sequence[LogRow], hint: str = "") -> list[Log]:
    """Return the runs that a table of rows holds, one log each.

    - A column such as ``metric`` beside ``value`` names what stands there (long form).
    - A column such as ``phase`` or ``split`` that holds nothing but names of splits says where a row was measured;
      its metrics become ``val/acc`` and the like.
    - A column such as ``seed``, ``run`` or ``fold`` tells runs apart, and so do columns ``run - metric`` that Weights &
      Biases exports: of one metric with ``__MIN`` and ``__MAX`` beside each, or of several runs. Where a
      column holds one value and is empty elsewhere, it tells nothing apart: tools write a seed in the first row alone.
    """
    names = list(dict.fromkeys(column for row in rows for column in row))
    charted = _charted(names)
    if charted:
        return [
            Log(f"{name} ({run})", _of_chart(rows, columns), labels={"run": run}) for run, columns in charted.items()
        ]
    rows = _by_split(_widened(rows, names), names)
    log = Log(name, rows, hint=hint)
    column = _column(names, RUN_COLUMNS)
    if column is None or (len(log.values(column)) < 2 and not all(label(row.get(column)) for row in rows)):
        return [log]
    return split_by(log, column)


def _column(names: Sequence[str], known: Sequence[str]) -> str | None:
    return next((name for name in names if name.lower() in known), None)


def _charted(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return, by run, the columns of a chart that Weights & Biases exported, and the metrics that they hold."""
    parts = {name: name.rpartition(" - ") for name in names if not name.endswith((_LOWEST, _HIGHEST))}
    told = {name: (run, metric) for name, (run, dash, metric) in parts.items() if dash and run and metric}
    held_by = Counter(metric for run, metric in told.values() if split_of_text(run) is None)
    runs: dict[str, dict[str, str]] = {}
    for name, (run, metric) in told.items():
        has_range = f"{name}{_LOWEST}" in names and f"{name}{_HIGHEST}" in names
        if has_range or (held_by[metric] > 1 and not _is_split(run, metric)):
            runs.setdefault(run, {})[name] = metric
    return runs


def _is_split(run: str, metric: str) -> bool:
    """Whether one side of ``acc - val`` or ``val - acc`` names a split: then the other is its metric, and no run."""
    return split_of_text(run) is not None or split_of_text(metric) is not None


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
    beside = {column, *(name for name in names if name.lower() in (*AXES, *RUN_COLUMNS) or _is_text(rows, name))}
    return [row if is_absent(row.get(column)) else _named_by(row, column, beside) for row in rows]


def _named_by(row: LogRow, column: str, beside: Container[str]) -> LogRow:
    """Put a row's split before the names of its metrics."""
    kept = {name: value for name, value in row.items() if name != column}
    return {name if name in beside else f"{row[column]}/{name}": value for name, value in kept.items()}


def _is_text(rows: Sequence[LogRow], name: str) -> bool:
    """Whether a column holds no number at all, such as the name of a configuration: it is no metric of a split."""
    return not any(is_number(row.get(name)) for row in rows)


def _tells_splits(rows: Sequence[LogRow], name: str) -> bool:
    said = [row[name] for row in rows if not is_absent(row.get(name))]
    return bool(said) and all(split_of_text(value) is not None for value in said)
