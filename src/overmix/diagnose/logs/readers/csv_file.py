"""CSV and its kin: any separator, decimal commas, comments, repeated headers, and exports of TensorBoard."""

from __future__ import annotations

import csv
import re
from itertools import zip_longest
from pathlib import Path

from overmix.diagnose.logs.cells import is_number
from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.names import split_of, split_of_text, words
from overmix.diagnose.logs.readers.reader import Reader, by_folder, text_of
from overmix.diagnose.logs.readers.rows import logs_of
from overmix.errors import DataError

_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?\s*%?")
_SURE_COMMA = re.compile(r"[-+]?(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))\s*%?")
_EXPORTED = {"wall time", "step", "value"}
_EXPORT = re.compile(r"run-(?P<run>.*?)-tag-(?P<tag>.+)", re.IGNORECASE)
_TABLES = "give CSV with a header line, or the JSON lines or event files that the training wrote beside them"
_KEEP_NAME = (
    "This is an export of TensorBoard, which names its metric in the name of the file (run-…-tag-val_acc.csv): give it "
    "that name, or say --metric Value and which way is better."
)

NumberedLine = tuple[int, str]
Cells = tuple[int, list[str]]


def read_csv(path: Path) -> list[Log]:
    """Read a CSV file; a column ``seed``, ``run`` or the like tells several runs apart, see `logs_of`.

    Lines that begin with ``#`` are comments, unless the last one before the numbers is the header (NumPy's way). A
    header that is repeated, as resumed runs do, is passed over.

    Raises:
        DataError: no text, no header, or no rows.
    """
    header, lines = _table(path)
    rows = []
    for at, cells in lines:
        if any(cells[len(header) :]):
            raise DataError(f"{path}, line {at}: more values than the header has names; mend that line")
        rows.append(dict(zip_longest(header, cells[: len(header)], fillvalue="")))
    if {name.lower() for name in header} == _EXPORTED:
        return _export(path, rows)
    return logs_of(str(path), rows)


def _table(path: Path) -> tuple[list[str], list[Cells]]:
    """Return the header's names, and the cells of each line below with its number."""
    written = [(at, line) for at, line in enumerate(text_of(path).splitlines(), start=1) if line.strip()]
    lines = [(at, line) for at, line in written if not _is_comment(line)]
    if not lines:
        raise DataError(f"{path}: empty; give a CSV file with a header line")
    separator = _separator(lines[0][1])
    first = _split(lines[0], separator, path)
    if all(is_number(cell) for cell in first):
        comments = [(at, line.lstrip().lstrip("#")) for at, line in written if _is_comment(line) and at < lines[0][0]]
        header = _split(comments[-1], separator, path) if comments else []
        if len(header) != len(first):
            raise DataError(f"{path}, line {lines[0][0]}: numbers where names should stand; put a header line above")
    elif separator == " " and any(is_number(cell) for cell in first):
        raise DataError(f"{path}: sentences and no table; {_TABLES}")
    else:
        header, lines = first, lines[1:]
    cells = [(at, _split((at, line), separator, path)) for at, line in lines]
    cells = [(at, row) for at, row in cells if row != header]
    if not cells:
        raise DataError(f"{path}: only a header, no rows")
    while header and not header[-1]:  # a separator at the end of the line
        header.pop()
    if twice := next((name for name in header if name and header.count(name) > 1), None):
        raise DataError(f"{path}: the header has {twice!r} twice: rename one")
    return header, _with_points(cells) if separator != "," or _has_decimal_commas(cells) else cells


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _separator(header: str) -> str:
    """Return what separates a header's names; blanks, if nothing else does."""
    separator = max(",;\t", key=header.count)
    return " " if separator not in header and len(header.split()) > 1 else separator


def _split(line: NumberedLine, separator: str, path: Path) -> list[str]:
    at, text = line
    try:
        blanks = separator == " "
        cells = text.split() if blanks else next(csv.reader([text], delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise DataError(f"{path}, line {at}: not a line of CSV ({error})") from None
    return [cell.strip() for cell in cells]


def _has_decimal_commas(lines: list[Cells]) -> bool:
    """Whether quoted cells such as ``0,85`` hold decimals; ``1,234`` may be a thousand."""
    return any(_SURE_COMMA.fullmatch(cell) for _, cells in lines for cell in cells)


def _with_points(lines: list[Cells]) -> list[Cells]:
    """Write decimal commas as points, where the comma does not separate."""
    return [
        (at, [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells])
        for at, cells in lines
    ]


def _export(path: Path, rows: list[dict[str, str]]) -> list[Log]:
    """Read TensorBoard's export of one curve, named by the name of its file, and by that of its run's folder."""
    told = _EXPORT.fullmatch(path.stem)
    if told is None:
        return logs_of(str(path), rows, hint=_KEEP_NAME)
    said = words(told["run"])
    split = split_of_text(said[-1]) if said else None
    name = told["tag"] if split is None or split_of(told["tag"]) else f"{said[-1]}/{told['tag']}"
    named = [{name if key.lower() == "value" else key: value for key, value in row.items()} for row in rows]
    return logs_of(str(path), named)


def _reads(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv")


CSV = Reader(
    "CSV",
    find=lambda files: by_folder([file for file in files if _reads(file)]),
    reads=_reads,
    read=lambda files: [log for file in files for log in read_csv(file)],
    each=True,
)
