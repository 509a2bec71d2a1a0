"""Where a table begins in a text: its header, what separates its columns, and the rows below."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from io import StringIO

from overmix.files.written_numbers import sign_shown

SEPARATORS = (",", ";", "\t", "|")
"""What separates columns, besides blanks."""

# A quote opens at the beginning of a cell alone, as none is in 5" wide, and its cell may go over several lines.
_QUOTED = r'(?<![^,;\t| \r\n])"(?:[^"]|"")*"(?=[,;\t| \r\n]|\Z)'
_HEADER = re.compile(rf"(?:{_QUOTED}|[^\r\n])*(?:\r\n|\r|\n|\Z)")
_LINE_END = re.compile(r"\r\n|\r|\n")
_SAID = re.compile(r'"?sep=([,;\t| ])"?', re.IGNORECASE)


@dataclass(frozen=True)
class TableText:
    """A table in a text.

    Args:
        names: in the header, without quotes and blanks around them; the last is empty where a separator ends the line.
        separator: one of `SEPARATORS`, or a blank where only blanks stand between the names.
        rows: the text below the header.
        first_line: the number of the line that `rows` begins with, counted from 1.
    """

    names: list[str]
    separator: str
    rows: str
    first_line: int


def table_in(text: str) -> TableText | None:
    r"""Return the table in a text, below blank lines, comments and Excel's ``sep=;``; ``None`` if there is none.

    The last comment is the header, NumPy's way, if the line below it has as many cells and a number among them.

    Raises:
        csv.Error: if the header is no line of CSV.

    Example:
        >>> table = table_in('# by a tool\n"Weight\n(kg)";y\n1,5;a\n')
        >>> table.names, table.separator, table.rows, table.first_line
        (['Weight\n(kg)', 'y'], ';', '1,5;a\n', 4)
        >>> table_in("# epoch loss\n0 0.5\n").names
        ['epoch', 'loss']
    """
    said, comment, start = "", "", 0
    for line in StringIO(text, newline=""):
        asked = _SAID.fullmatch(line.strip("\r\n"))
        if asked and not said:
            said = asked[1]
        elif line.lstrip().startswith("#"):
            comment = line.strip().lstrip("#").strip()
        elif line.strip():
            break
        start += len(line)
    else:
        return None
    whole = _HEADER.match(text, start)
    header = text[start:] if whole is None else whole[0]
    of_comment = said or _separator(comment)
    if comment and _names_columns(cells_of(comment, of_comment), cells_of(header, of_comment)):
        names, separator = cells_of(comment, of_comment), of_comment
    else:
        separator = said or _separator(header)
        names, start = cells_of(header, separator), start + len(header)
    return TableText(names, separator, text[start:], 1 + len(_LINE_END.findall(text, 0, start)))


def cells_of(line: str, separator: str) -> list[str]:
    """Return the cells of one line, which may go on in quotes, without quotes and blanks around them.

    Example:
        >>> cells_of('1, "a, b",', ","), cells_of(' "val loss"  2 ', " ")
        (['1', 'a, b', ''], ['val loss', '2'])
    """
    text = line.strip(" \r\n" if separator == "\t" else None)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    return [cell.strip() for cell in next(reader, [])]


def _names_columns(names: list[str], first: list[str]) -> bool:
    return len(names) == len(first) and any(sign_shown(cell) is not None for cell in first)


def _separator(header: str) -> str:
    outside = re.sub(_QUOTED, "x", header.strip())
    separator = max(SEPARATORS, key=outside.count)
    return " " if separator not in outside and len(outside.split()) > 1 else separator
