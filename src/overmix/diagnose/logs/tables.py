"""Readers of text logs: CSV, JSON of Hugging Face and Keras, folders of MLflow."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overmix.diagnose.logs.log import Log
from overmix.errors import DataError

RUN_COLUMNS = ("seed", "run", "run_id", "replica")
_FORMS = "give Hugging Face's trainer_state.json, a Keras history, or a list of rows"


class EmptyLogError(DataError):
    """A log without any rows: of a run that was stopped before it logged."""


def read_csv(path: Path) -> list[Log]:
    """Read a CSV file; a column ``seed``, ``run``, ``run_id`` or ``replica`` tells several runs apart.

    Raises:
        DataError: no text, no header, or no rows.
    """
    lines = _text(path).splitlines()
    if not lines or not lines[0].strip():
        raise EmptyLogError(f"{path}: empty; give a CSV file with a header line")
    delimiter = max(",;\t", key=lines[0].count)
    try:
        rows = list(csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True, restval=""))
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV file ({error})") from None
    if not rows:
        raise EmptyLogError(f"{path}: only a header, no rows")
    names = [name.strip() for name in rows[0] if name]
    header = [name.strip() for name in next(csv.reader(lines[:1], delimiter=delimiter, skipinitialspace=True))]
    if twice := next((name for name in names if header.count(name) > 1), None):
        raise DataError(f"{path}: the header has {twice!r} twice: rename one")
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise DataError(f"{path}, line {number}: more values than the header has names; mend that line")
    kept = [{(name or "").strip(): value for name, value in row.items()} for row in rows]
    column = next((name for name in kept[0] if name.lower() in RUN_COLUMNS), None)
    if column is None:
        return [Log(str(path), kept)]
    runs: dict[str, list[Mapping[str, object]]] = {}
    for row in kept:
        runs.setdefault(row[column], []).append({name: value for name, value in row.items() if name != column})
    return [Log(f"{path} ({column} {run})", found) for run, found in runs.items()]


def read_json(path: Path) -> list[Log]:
    """Read ``trainer_state.json``, a Keras history (``{"loss": [...], "val_loss": [...]}``) or a list of rows.

    Raises:
        DataError: not JSON, or of another form.
    """
    try:
        content = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error})") from None
    if isinstance(content, dict):
        content = content.get("log_history", content.get("history", content))
    rows = _from_columns(content, path) if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: no log that is known; {_FORMS}")
    if not rows:
        raise EmptyLogError(f"{path}: empty")
    return [Log(str(path), _while_training(rows))]


def read_mlflow(folder: Path) -> list[Log]:
    """Read an MLflow run: ``metrics/<name>`` with lines "timestamp value step".

    Raises:
        DataError: a line of another form.
    """
    rows: list[Mapping[str, object]] = []
    for file in sorted(path for path in (folder / "metrics").rglob("*") if path.is_file()):
        name = file.relative_to(folder / "metrics").as_posix()
        for number, line in enumerate(_text(file).splitlines(), start=1):
            parts = line.split()
            if len(parts) != 3:
                raise DataError(f'{file}, line {number}: {line[:40]!r} is not "timestamp value step"')
            rows.append({"step": parts[2], name: parts[1]})
    return [Log(str(folder), rows)]


def _while_training(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what Hugging Face's Trainer logs at the last step after it has summed the training up.

    With ``load_best_model_at_end`` that is the best model, not the last: it would stand at the end of the curve, and
    hide a U. A training that goes on later logs at later steps.
    """
    kept, ended = [], None
    for row in rows:
        if ended is None or row.get("step") != ended:
            kept.append(row)
        if "train_runtime" in row:
            ended = row.get("step")
    return kept


def _from_columns(content: Mapping[str, Any], path: Path) -> list[dict[str, object]]:
    columns = {name: values for name, values in content.items() if isinstance(values, list)}
    if not columns:
        raise DataError(f"{path}: no log that is known; {_FORMS}")
    lengths = {name: len(values) for name, values in columns.items()}
    last = max(lengths.values())
    every = {name: 1 if n == last else _validation_freq(name, n, last) for name, n in lengths.items()}
    if None in every.values():
        raise DataError(f"{path}: unequal lengths ({', '.join(f'{name} {n}' for name, n in lengths.items())})")
    rows: list[dict[str, object]] = [{"epoch": at} for at in range(1, last + 1)]
    for name, values in columns.items():
        for row, value in zip(rows[(every[name] or 1) - 1 :: every[name]], values, strict=False):
            row[name] = value
    return rows


def _validation_freq(name: str, length: int, epochs: int) -> int | None:
    """Every how many epochs Keras validated, ``length = ⌊epochs / f⌋``; None if no ``f`` fits, or several do."""
    fits = [f for f in range(2, epochs + 1) if epochs // f == length]
    return fits[0] if len(fits) == 1 and name.startswith("val_") else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
