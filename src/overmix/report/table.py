"""A table as data. The page shows every table by one template, which escapes it; the command line by one function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Args:
        caption: what the table holds.
        columns: headings.
        rows: cells; the first of a row names it.
        wraps: whether cells hold sentences.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    wraps: bool = False
