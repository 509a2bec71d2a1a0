"""Reader of JSON lines, one row each: DeiT, the mm family, detectron2, Weights & Biases' history, pandas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.readers.json_text import begins_as_json, flat, parsed
from overmix.diagnose.logs.readers.reader import Reader, by_folder, lines_of, text_of
from overmix.diagnose.logs.readers.rows import LogRow, logs_of
from overmix.errors import DataError

NAMES = ("scalars.json", "metrics.json", "log.txt")
"""Of the mm family, detectron2 and DeiT."""


def read_json_lines(path: Path) -> list[Log]:
    """Read a file of one JSON object per line. A last line cut short is no damage: the run goes on.

    Raises:
        DataError: another line that is no JSON object.
    """
    lines = [(at, line) for at, line in enumerate(lines_of(text_of(path)), start=1) if line.strip()]
    rows: list[LogRow] = []
    for at, line in lines:
        try:
            row = parsed(line, f"{path}, line {at}")
        except DataError:
            if at == lines[-1][0] and rows:
                break
            raise
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {at}: {line[:40]!r} is no row of names and values")
        rows.append(flat(row))
    if not rows:
        raise DataError(f"{path}: empty")
    return logs_of(str(path), rows)


def _find(files: Sequence[Path]) -> dict[Path, list[Path]]:
    """Find them by their names; a ``.json`` or ``.txt`` file of other names is anything."""
    named = [
        file
        for file in files
        if file.name in NAMES or file.suffix.lower() in (".jsonl", ".ndjson") or file.name.endswith(".log.json")
    ]
    return by_folder([file for file in named if file.suffix != ".txt" or _reads(file)])


def _reads(path: Path) -> bool:
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return True
    if not begins_as_json(path):
        return False
    lines = [line for line in lines_of(text_of(path)) if line.strip()]
    return len(lines) > 1 and all(_is_object(line) for line in lines[:2])


def _is_object(line: str) -> bool:
    try:
        return isinstance(parsed(line, ""), dict)
    except DataError:
        return False


JSON_LINES = Reader(
    "JSON lines",
    find=_find,
    reads=_reads,
    read=lambda files: [log for file in files for log in read_json_lines(file)],
    each=True,
)
