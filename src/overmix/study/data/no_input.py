"""Columns of a table that are no inputs: they tell rows apart, or cannot be trained on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from overmix.study.data.table_file import MOST_CATEGORIES, column_kind

if TYPE_CHECKING:
    import polars as pl

_DATE = re.compile(r"(\d{4}([-/.])\d\d?\2\d\d?|\d\d?([-/.])\d\d?\3\d{2,4})([ T]\d\d?:\d\d.*)?|\d\d?:\d\d(:\d\d.*)?")
"""Dates and times, as text."""

_FEWEST_COUNTED = 10
"""Fewer rows may well have different numbers, in a row even, by chance."""

_NUMBERS_ROWS = re.compile(r"|.*id|(.*[_ .-])?(index|row|nr|no|number|unnamed.*)|_*index_level_\d+_*")
"""Names of columns that tell rows apart and say nothing of them, as pandas and people give them."""


def why_no_input(column: pl.Series) -> str | None:
    """Return why a column is no input; ``None`` if it is one."""
    kind = column_kind(column)
    if kind == "text":
        return f"text of {column.n_unique():,} different values (at most {MOST_CATEGORIES} are categories)"
    if kind == "category":
        return _why_no_category(column)
    if kind in ("date", "empty", "nested"):
        return {"date": "a date or time", "empty": "empty", "nested": "of no plain values"}[kind]
    known = column.drop_nulls()
    if known.n_unique() < max(len(known), _FEWEST_COUNTED) or not _is_whole(known):
        return None
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.name).lower()
    named = _NUMBERS_ROWS.fullmatch(words) is not None
    if len(known) == len(column) and bool((known.diff().drop_nulls() == 1).all()):
        rises = "it rises by one from row to row; take it out of drop if it says more than that, as a year may"
        return "it counts the rows" if named or known[0] in (0, 1) else rises
    return "a number of its own for each row" if named else None


def _why_no_category(column: pl.Series) -> str | None:
    """Return why texts, few as they are, are no categories that a model could learn; ``None`` if they may be."""
    texts = column.cast(str).drop_nulls().str.strip_chars().unique()
    if all(_DATE.fullmatch(text) for text in texts):
        return "a date or time"
    # A text that no other row has is unknown to a model that is tested on it.
    if len(texts) == len(column.drop_nulls()) >= _FEWEST_COUNTED:
        return "a text of its own for each row"
    return None


def _is_whole(known: pl.Series) -> bool:
    """Whether numbers are whole; pandas writes them as 919.0 where one is missing in their column."""
    if known.dtype.is_float():
        return bool((known == known.round()).all())
    return known.dtype.is_integer()
