"""Tables in files: CSV and Parquet, read by polars, and what is in their columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from overmix.errors import ConfigError, DataError, MissingExtraError

if TYPE_CHECKING:
    import polars as pl

ColumnKind = Literal["number", "category", "text", "date", "empty", "nested"]
"""What a column holds; the last four cannot be trained on."""

MOST_CATEGORIES = 100
"""A column of more different texts is a name, an address or a comment, not a category."""

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?")
"""What stands for a missing value in a CSV."""

_SEPARATORS = (",", ";", "\t", "|")


def read_table(path: str, form: str) -> pl.DataFrame:
    """Return the table in a file.

    Args:
        path: of the file.
        form: ``"csv"`` (separated by commas, semicolons, tabs or bars, with a header) or ``"parquet"``.

    Raises:
        ConfigError: if there is no such file.
        DataError: if it is no table, or an empty one.
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
        table = _read_csv(file) if form == "csv" else pl.read_parquet(file)
        # pandas, among others, writes missing numbers as NaN.
        table = table.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
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


def _read_csv(file: Path) -> pl.DataFrame:
    import polars as pl

    text = file.read_text(encoding="utf-8-sig")
    header = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=header.count)
    return pl.read_csv(
        text.encode(),
        separator=separator,
        null_values=list(MISSING),
        # The whole file is looked at: a column that turns to text in its last row is text.
        infer_schema_length=None,
        # Where semicolons separate, commas are the decimal sign of most programs.
        decimal_comma=separator == ";" and _has_decimal_commas(text),
    )


def _has_decimal_commas(text: str) -> bool:
    return "," in text and "." not in text
