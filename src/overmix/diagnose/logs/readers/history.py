"""Reader of histories as one JSON document: Keras's lists, nested dictionaries, pandas' frames, lists of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from overmix.diagnose.logs.kinds import kind_of
from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.names import split_of
from overmix.diagnose.logs.readers.hugging_face import while_training
from overmix.diagnose.logs.readers.json_text import begins_as_json, document, flat
from overmix.diagnose.logs.readers.reader import Reader, by_folder
from overmix.diagnose.logs.readers.rows import LogRow, logs_of
from overmix.errors import DataError

_FORMS = "give Hugging Face's trainer_state.json, a Keras history, pandas' JSON, or a list of rows"
_INDEX = "_step"


def read_history(path: Path) -> list[Log]:
    """Read a history: lists by name, ``{"loss": [...], "val_loss": [...]}``, a frame of pandas, or a list of rows.

    Lists of what is no number (class names) are left out, and so are lists of another length, unless one is asked for.

    Raises:
        DataError: not JSON, or of another form.
    """
    content = document(path)
    if isinstance(content, dict):
        content = content.get("history", content)
    rows, unreadable = _rows(content)
    if rows is None:
        raise DataError(f"{path}: no log that is known; {_FORMS}")
    if not rows and not unreadable:
        raise DataError(f"{path}: empty")
    return [replace(log, unreadable=unreadable) for log in logs_of(str(path), rows)]


def _rows(content: Any) -> tuple[list[LogRow] | None, dict[str, str]]:
    """Return a document's rows, None if it has a form that is not known; and lists that fit no rows, and why."""
    if isinstance(content, list):
        rows = [flat(row) for row in content if isinstance(row, dict)]
        return (while_training(rows) if len(rows) == len(content) else None), {}
    if not isinstance(content, dict):
        return None, {}
    if isinstance(content.get("columns"), list) and isinstance(content.get("data"), list):  # pandas, orient="split"
        return _split_frame(content["columns"], content["data"], content.get("index")), {}
    if isinstance(content.get("data"), list) and "schema" in content:  # pandas, orient="table"
        return _rows(content["data"])
    if frame := _indexed(content):
        return frame, {}
    columns = {name: values for name, values in flat(content).items() if _is_column(values)}
    return _from_columns(columns) if columns else (None, {})


def _split_frame(columns: list[Any], data: list[Any], index: Any) -> list[LogRow] | None:
    if not all(isinstance(row, list) and len(row) == len(columns) for row in data):
        return None
    places = index if isinstance(index, list) and len(index) == len(data) else range(len(data))
    return [{_INDEX: at} | dict(zip(map(str, columns), row, strict=True)) for at, row in zip(places, data, strict=True)]


def _indexed(content: Mapping[str, Any]) -> list[LogRow] | None:
    """Read a frame of pandas with its index as keys, inside of each column or around each row."""
    inner = {name: value for name, value in content.items() if isinstance(value, dict) and value}
    if not inner or any(isinstance(value, list) for value in content.values()):
        return None
    if all(_is_index(column) for column in inner.values()):
        places = sorted({place for column in inner.values() for place in column}, key=float)
        return [{_INDEX: at} | {name: column.get(at) for name, column in inner.items()} for at in places]
    if _is_index(content):
        return [{_INDEX: at} | flat(row) for at, row in sorted(inner.items(), key=lambda item: float(item[0]))]
    return None


def _is_index(mapping: Mapping[str, Any]) -> bool:
    return all(key.isdecimal() for key in mapping)


def _is_column(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(v is None or isinstance(v, int | float) for v in values)


def _from_columns(columns: Mapping[str, list[Any]]) -> tuple[list[LogRow], dict[str, str]]:
    """Line lists up by epochs: those as long as the training loss, and Keras's that were validated now and then."""
    lengths = {name: len(values) for name, values in columns.items()}
    epochs = _epochs(lengths)
    every = {name: 1 if n == epochs else _validation_freq(name, n, epochs) for name, n in lengths.items()}
    rows: list[dict[str, Any]] = [{"epoch": at} for at in range(1, epochs + 1)]
    for name, values in columns.items():
        if frequency := every[name]:
            for row, value in zip(rows[frequency - 1 :: frequency], values, strict=False):
                row[name] = value
    listed = ", ".join(f"{name} {n}" for name, n in lengths.items())
    unreadable = {
        name: f"unequal lengths: {name} has {lengths[name]} values where there are {epochs} epochs ({listed})"
        for name in columns
        if every[name] is None
    }
    return list(rows), unreadable


def _epochs(lengths: Mapping[str, int]) -> int:
    """Return the length of the training loss; where there is none, that of most lists."""
    for name, length in lengths.items():
        kind = kind_of(name)
        if kind is not None and kind.name == "loss" and split_of(name) in (None, "train"):
            return length
    counts = Counter(lengths.values())
    return max(counts, key=lambda length: (counts[length], length))


def _validation_freq(name: str, length: int, epochs: int) -> int | None:
    """Every how many epochs Keras validated, ``length = ⌊epochs / f⌋``; None if no ``f`` fits, or several do."""
    fits = [f for f in range(2, epochs + 1) if epochs // f == length]
    return fits[0] if len(fits) == 1 and name.startswith("val_") else None


def _find(files: Sequence[Path]) -> dict[Path, list[Path]]:
    return by_folder([file for file in files if file.suffix.lower() == ".json" and "history" in file.stem.lower()])


def _reads(path: Path) -> bool:
    if path.suffix.lower() == ".json":
        return True
    try:
        return begins_as_json(path) and document(path) is not None
    except DataError:
        return False


HISTORY = Reader(
    "JSON history of Keras or pandas",
    find=_find,
    reads=_reads,
    read=lambda files: [log for file in files for log in read_history(file)],
    each=True,
)
