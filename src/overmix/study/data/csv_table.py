"""A table in the text of a CSV file: its header checked, its columns typed."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

from overmix.errors import DataError
from overmix.files.table_text import SEPARATORS, TableText, table_in
from overmix.study.data.no_header import is_row
from overmix.study.data.table_cells import typed

if TYPE_CHECKING:
    import polars as pl

_QUOTED_BEHIND_A_BLANK = '^"(.*)"$'


def csv_table(text: str, field: str) -> pl.DataFrame:
    """Return the table in a text.

    Args:
        text: of a CSV file; what may stand above the header, see :func:`overmix.files.table_text.table_in`.
        field: what errors call it.

    Raises:
        DataError: if there is none, or its header or a row is wrong.
    """
    table = table_in(text)
    if table is None:
        raise DataError(f"{field}: it is empty: give a header, and a row for each sample")
    if table.separator not in SEPARATORS:
        raise DataError(f"{field}: blanks separate its columns: save it with commas, semicolons, tabs or bars")
    cells = _cells(table, field)
    _check_header(table.names, cells, field)
    cells.columns = table.names
    return typed(cells, table.separator)


def _cells(table: TableText, field: str) -> pl.DataFrame:
    """Return the rows as text, in columns named by their place."""
    import polars as pl

    # Without types: polars would make text of numbers that it does not know, and new names of those that are twice.
    header = table.separator.join(f"column {k}" for k in range(len(table.names)))
    try:
        cells = pl.read_csv(f"{header}\n{table.rows}".encode(), separator=table.separator, infer_schema_length=0)
    except pl.exceptions.ComputeError:
        if (line := _too_long(table)) is None:
            raise
        raise DataError(f"{field}, line {line}: more values than the header has names: mend that line") from None
    return cells.with_columns(pl.all().str.strip_chars().str.replace(_QUOTED_BEHIND_A_BLANK, "$1"))


def _too_long(table: TableText) -> int | None:
    """Return the number of the first line that ends a row of more cells than there are names."""
    rows = csv.reader(StringIO(table.rows, newline=""), delimiter=table.separator)
    above = table.first_line - 1
    return next((above + rows.line_num for row in rows if len(row) > len(table.names)), None)


def _check_header(names: list[str], cells: pl.DataFrame, field: str) -> None:
    if is_row(names, cells):
        shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        raise DataError(f"{field}: values stand where names should ({shown}): put a line of names above")
    if twice := next((name for name in names if names.count(name) > 1 and name), None):
        raise DataError(f"{field}: the header has {twice!r} twice: rename one, or remove that column")
    if names.count("") > 1:
        raise DataError(f"{field}: the header has {names.count('')} columns without a name: name them, or remove them")
