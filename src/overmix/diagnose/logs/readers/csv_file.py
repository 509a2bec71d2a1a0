"""CSV and its kin: any separator, decimal commas, comments, repeated headers, and exports of TensorBoard."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

from overmix.diagnose.logs.cells import WrittenNumber, is_absent, is_number
from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.names import split_of, split_of_text, words
from overmix.diagnose.logs.readers.reader import Reader, by_folder, lines_of, text_of
from overmix.diagnose.logs.readers.rows import LogRow, logs_of
from overmix.errors import DataError
from overmix.files.table_text import TableText, table_in
from overmix.files.written_numbers import (
    DecimalSign,
    as_python,
    decimal_signs,
    is_mostly_numbers,
    sign_shown,
    why_unclear_sign,
)

_BETWEEN_DIGITS = re.compile(r"[,' \u00a0\u202f\u2019\u2212]\d|(?<!\d)[1-9]\d{0,2}\.\d{3}(?!\d)")
"""What numbers have that Python does not read, or may take for a decimal."""
_EXPORTED = {"wall time", "step", "value"}
_EXPORT = re.compile(r"run-(?P<run>.*?)-tag-(?P<tag>.+)", re.IGNORECASE)
_TABLES = "give CSV with a header line, or the JSON lines or event files that the training wrote beside them"
_KEEP_NAME = (
    "This is an export of TensorBoard, which names its metric in the name of the file (run-…-tag-val_acc.csv): give it "
    "that name, or say --metric Value and which way is better."
)

NumberedLine = tuple[int, str]
NumberedCells = tuple[int, list[str]]


def read_csv(path: Path) -> list[Log]:
    """Read a CSV file; a column ``seed``, ``run`` or the like tells several runs apart, see `logs_of`.

    `table_in` tells where the header stands. Further lines that begin with ``#`` are comments; a header that is
    repeated, as resumed runs do, is passed over. What may be thousands or decimals is refused where it is to be
    judged, see `WrittenNumber`.

    Raises:
        DataError: no text, no header, or no rows; a quote that is not closed.
    """
    header, lines = _table(path)
    rows = []
    for at, cells in lines:
        if any(cells[len(header) :]):
            raise DataError(f"{path}, line {at}: more values than the header has names; mend that line")
        rows.append(dict(zip_longest(header, cells[: len(header)], fillvalue="")))
    of_numbers = _numbers(rows, path)
    if {name.lower() for name in header} == _EXPORTED:
        return _export(path, of_numbers)
    return logs_of(str(path), of_numbers)


def _table(path: Path) -> tuple[list[str], list[NumberedCells]]:
    """Return the header's names, and the cells of each row below with the number of its first line."""
    try:
        table = table_in(text_of(path))
    except csv.Error as error:
        raise DataError(f"{path}: the header is not a line of CSV ({error})") from None
    if table is None:
        raise DataError(f"{path}: empty; give a CSV file with a header line")
    header = table.names
    if all(is_number(name) for name in header):
        at = table.first_line - 1
        raise DataError(f"{path}, line {at}: numbers where names should stand; put a header line above")
    if table.separator == " " and any(is_number(name) for name in header):
        raise DataError(f"{path}: sentences and no table; {_TABLES}")
    rows = [(at, cells) for at, cells in _rows(table, path) if cells != header]
    if not rows:
        raise DataError(f"{path}: only a header, no rows")
    if _have_names(rows, table):
        header = ["", *header]
    while header and not header[-1]:  # a separator at the end of the line
        header.pop()
    if twice := next((name for name in header if name and header.count(name) > 1), None):
        raise DataError(f"{path}: the header has {twice!r} twice: rename one")
    return header, rows


def _rows(table: TableText, path: Path) -> Iterator[NumberedCells]:
    """Yield the cells of rows; a cell in quotes may go over several lines."""
    lines = enumerate(lines_of(table.rows), start=table.first_line)
    for at, line in lines:
        if not line.strip() or _is_comment(line):
            continue
        try:
            yield at, _row(line, lines, table.separator)
        except csv.Error as error:
            raise DataError(f"{path}, line {at}: not a line of CSV ({error})") from None


def _row(line: str, following: Iterator[NumberedLine], separator: str) -> list[str]:
    """Return the cells of a row, which takes further lines while a cell in quotes is open.

    Raises:
        csv.Error: no CSV; or a quote opens that is not closed, which would swallow rows.
    """
    if separator == " ":
        if '"' not in line:
            return line.split()
        line = line.strip() + "\n"
    taken = [line]

    def growing() -> Iterator[str]:
        yield line
        for _, more in following:
            taken.append(more)
            yield more
        taken.append("")  # the row goes on where the file ends

    cells = next(csv.reader(growing(), delimiter=separator, skipinitialspace=True))
    if len(taken) > 1:
        try:
            cells = next(csv.reader(taken, delimiter=separator, skipinitialspace=True, strict=True))
        except csv.Error:
            raise csv.Error("a quote opens there and is not closed before the next separator") from None
    return [cell.strip() for cell in cells]


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _have_names(rows: Sequence[NumberedCells], table: TableText) -> bool:
    """Whether each row begins with its own name in quotes, and the header has none for them (R's ``write.table``)."""
    if any(len(cells) != len(table.names) + 1 for _, cells in rows):
        return False
    return all(line.startswith('"') for line in lines_of(table.rows) if line.strip() and not _is_comment(line))


def _numbers(rows: Sequence[Mapping[str, str]], path: Path) -> Sequence[LogRow]:
    """Tell what numbers are that Python does not read: ``1,234`` is what its column, or else the file, says."""
    if not any(_BETWEEN_DIGITS.search(cell) for row in rows for cell in row.values()):
        return rows
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [None if is_absent(row[name]) else row[name] for row in rows] for name in names}
    known = {name: [cell for cell in cells if cell is not None] for name, cells in columns.items()}
    signs = decimal_signs(known, otherwise=None)
    read: dict[str, Callable[[str], str | WrittenNumber]] = {
        name: partial(_number, sign=sign) for name, sign in signs.items() if sign is not None
    }
    for name, sign in signs.items():
        if sign is None and is_mostly_numbers(known[name]):
            told = f"{path}: the column {name} {why_unclear_sign(columns[name])}"
            read[name] = partial(_unclear, why=f"{told}: write a point for decimals, and nothing for thousands")
    return [{name: read[name](cell) if name in read else cell for name, cell in row.items()} for row in rows]


def _number(cell: str, *, sign: DecimalSign) -> str | WrittenNumber:
    number = as_python(cell, sign)
    return cell if number is None or number == cell else WrittenNumber(cell, number)


def _unclear(cell: str, *, why: str) -> str | WrittenNumber:
    return cell if sign_shown(cell) is None else WrittenNumber(cell, None, why)


def _export(path: Path, rows: Sequence[LogRow]) -> list[Log]:
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
