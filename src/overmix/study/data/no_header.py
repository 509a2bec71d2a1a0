"""Tables without a header: their first row would be lost as names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from overmix.files.written_numbers import is_mostly_numbers, sign_shown

if TYPE_CHECKING:
    import polars as pl

_LOOKED_AT = 1000  # rows, for what a column holds


def is_row(names: Sequence[str], cells: pl.DataFrame) -> bool:
    """Whether names are values like those below: numbers over numbers, and texts over others of their own.

    Names may be numbers: pixels, years, and those that pandas gives. So whole numbers count as values only where they
    neither rise nor fall throughout, or where a text tells, and numbers in steps of one do not.

    Args:
        names: in a header.
        cells: the rows below, as text.

    Example:
        >>> import polars as pl
        >>> cells = pl.DataFrame({"a": ["0.5", "0.7", "0.1"], "b": ["red", "blue", "red"]})
        >>> is_row(["0.3", "blue"], cells), is_row(["0.3", "colour"], cells), is_row(["size", "blue"], cells)
        (True, False, False)
    """
    numbers = [name for name in names if sign_shown(name) is not None]
    if not numbers:
        return False
    text_occurs = False
    for name, column in zip(names, cells.iter_columns(), strict=True):
        if is_mostly_numbers(column.drop_nulls().head(_LOOKED_AT).to_list()):
            if name and sign_shown(name) is None:
                return False
        elif name and column.drop_nulls().is_duplicated().any():  # of names of people, say, a row has another
            if not (column == name).any():
                return False
            text_occurs = True
    return not _are_names(numbers, text_occurs=text_occurs)


def _are_names(numbers: Sequence[str], *, text_occurs: bool) -> bool:
    if not all(number.isdecimal() for number in numbers):
        return False
    steps = {int(after) - int(before) for before, after in pairwise(numbers)}
    if text_occurs:
        return steps == {1}
    return all(step > 0 for step in steps) or all(step < 0 for step in steps)
