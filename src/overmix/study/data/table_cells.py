"""Columns of a CSV: from text to numbers, where every cell is one, and what is missing in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overmix.files.written_numbers import (
    DecimalSign,
    as_python,
    decimal_signs,
    has_percent,
    is_missing,
    is_mostly_numbers,
)

if TYPE_CHECKING:
    import polars as pl

_MISSING_TEXTS = ("", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "null", "NULL", "?")
"""What stands for a missing text; ``None``, ``-`` and ``Na`` may be names of classes there."""

_LOOKED_AT = 1000  # different cells of a column of plain numbers, for its decimal sign


def typed(table: pl.DataFrame, separator: str) -> pl.DataFrame:
    """Return a table of text with numbers, and true and false, in the columns where all cells are such.

    ``1,234`` is a thousand or a decimal as the column, or else the file, says. Where neither does, the comma separates
    thousands in a file whose columns are separated by commas; elsewhere the column remains text, as do columns with
    ``1.234`` beside ``567`` and columns in which some cells are no numbers. More words stand for a missing number than
    for a missing text.

    Args:
        table: of text.
        separator: what separated its columns.
    """
    table = table.with_columns([_without_missing(column) for column in table.iter_columns()])
    plain = {column.name: _plain(column) for column in table.iter_columns()}
    looked_at = {}
    for column in table.iter_columns():
        different = column.drop_nulls().unique(maintain_order=True)
        looked_at[column.name] = (different if plain[column.name] is None else different.head(_LOOKED_AT)).to_list()
    signs = decimal_signs(looked_at, otherwise="." if separator == "," else None)
    return table.with_columns(
        [_typed(column, plain[column.name], signs[column.name]) for column in table.iter_columns()]
    )


def _without_missing(column: pl.Series) -> pl.Series:
    """Return a column with nulls where a cell is missing."""
    import polars as pl

    if _plain(column) is not None:
        return column
    words = [cell for cell in column.drop_nulls().unique() if is_missing(cell) or cell.lower() == "nan"]
    known = column.filter(~column.is_in(words)).drop_nulls()
    if not is_mostly_numbers(known.to_list()) and not _is_logical(known):
        words = [cell for cell in words if cell in _MISSING_TEXTS]
    return pl.select(pl.when(column.is_in(words)).then(None).otherwise(column).alias(column.name)).to_series()


def _is_logical(known: pl.Series) -> bool:
    return not known.is_empty() and bool(known.str.to_lowercase().is_in(["true", "false"]).all())


def _typed(column: pl.Series, plain: pl.Series | None, decimal: DecimalSign | None) -> pl.Series:
    if plain is not None and decimal == ".":
        return plain
    known = column.drop_nulls()
    if _is_logical(known):
        return column.str.to_lowercase() == "true"
    if decimal is None:
        return column
    different = known.unique()
    numbers = [as_python(cell, decimal) for cell in different]
    if not numbers or None in numbers or len({has_percent(cell) for cell in different}) > 1:
        return column
    spelt = _plain(column.replace_strict(different, numbers, default=None, return_dtype=column.dtype))
    return column if spelt is None else spelt


def _plain(column: pl.Series) -> pl.Series | None:
    """Return a column of numbers as programs write them, integers if all are; ``None`` if a cell is something else."""
    import polars as pl

    if column.null_count() == len(column):
        return None
    # Older releases of polars lack the wide integers, which keep long numbers of identity apart.
    for dtype in (pl.Int64, getattr(pl, "Int128", pl.Int64), pl.Float64):
        numbers = column.cast(dtype, strict=False)
        if numbers.null_count() == column.null_count():
            return numbers
    return None
