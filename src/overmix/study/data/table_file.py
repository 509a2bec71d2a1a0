"""Tables in files: CSV and Parquet, read by polars, and what is in their columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from overmix.errors import ConfigError, DataError, MissingExtraError
from overmix.files.written_numbers import why_no_numbers
from overmix.study.data.csv_table import csv_table

if TYPE_CHECKING:
    import polars as pl

ColumnKind = Literal["number", "category", "text", "date", "empty", "nested"]
"""What a column holds; the last four cannot be trained on."""

MOST_CATEGORIES = 100
"""A column of more different texts is a name, an address or a comment, not a category."""


def read_table(path: str, form: str) -> pl.DataFrame:
    """Return the table in a file.

    Args:
        path: of the file.
        form: ``"csv"`` (separated by commas, semicolons, tabs or bars, with a header) or ``"parquet"``.

    Raises:
        ConfigError: if there is no such file.
        DataError: if it is no table, an empty one, or one without a header or with a name twice in it.
        MissingExtraError: if polars is not installed.
    """
    if not path:
        raise ConfigError("data.path", path, f"name the file: data: {{name: {form}, path: my-data.{form}}}")
    file = Path(path).expanduser()
    if not file.is_file():
        raise ConfigError("data.path", path, f"there is no such file: name a {form.upper()} file")
    field = f"data.path {path}"
    try:
        import polars as pl
    except ImportError:
        raise MissingExtraError("polars", "study") from None
    try:
        table = csv_table(file.read_text(encoding="utf-8-sig"), field) if form == "csv" else pl.read_parquet(file)
        # pandas, among others, writes missing numbers as NaN.
        table = table.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    except DataError:
        raise
    except UnicodeDecodeError:
        raise DataError(f"{field}: it is no text in UTF-8: save it so") from None
    except OSError as error:
        raise ConfigError("data.path", path, f"it cannot be read ({error.strerror or error})") from None
    except Exception as error:
        # A damaged file makes the reader raise almost anything, a panic of its own included.
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{field}: it is no {form.upper()} table ({first}): save it again") from None
    if not table.height or table.width < 2:
        shape = f"{table.height} rows and {table.width} columns"
        raise DataError(f"{field}: it has {shape}: give a header, and columns to learn from beside the target")
    return table


def column_kind(column: pl.Series) -> ColumnKind:
    """Return what a column holds.

    Example:
        >>> import polars as pl
        >>> column_kind(pl.Series([1.5, None])), column_kind(pl.Series(["red", "blue"]))
        ('number', 'category')
    """
    import polars as pl

    if column.null_count() == len(column):
        return "empty"
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return "number"
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        return "category" if column.n_unique() <= MOST_CATEGORIES else "text"
    return "date" if column.dtype.is_temporal() else "nested"


def why_text(column: pl.Series) -> str | None:
    """Say why a column of a CSV is text although most of its cells are numbers; ``None`` if most are not.

    Example:
        >>> import polars as pl
        >>> why_text(pl.Series(["1.5", "2", "2.x"])), why_text(pl.Series(["a", "b", "3"]))
        ("has numbers, but '2.x' in row 3", None)
    """
    import polars as pl

    return why_no_numbers(column.to_list()) if column.dtype == pl.String else None
