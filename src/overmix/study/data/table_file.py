"""Tables in files: CSV and Parquet, read by polars, and what is in their columns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from overmix.errors import ConfigError, DataError, MissingExtraError
from overmix.study.data.table_cells import typed
from overmix.written_numbers import why_no_numbers

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
        DataError: if it is no table, an empty one, or one with a name twice in its header.
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
        table = _read_csv(file, field) if form == "csv" else pl.read_parquet(file)
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


def _read_csv(file: Path, field: str) -> pl.DataFrame:
    import polars as pl

    text = file.read_text(encoding="utf-8-sig")
    separator = max(_SEPARATORS, key=_outside_quotes(text.partition("\n")[0]).count)
    if not text.strip():
        raise DataError(f"{field}: it is empty: give a header, and a row for each sample")
    # Without types: polars would make text of numbers that it does not know, and new names of those that are twice.
    header = pl.read_csv(text.encode(), separator=separator, has_header=False, n_rows=1, infer_schema_length=0)
    names = [_stripped(name) for name in header.row(0)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{field}: the header has {twice!r} twice: rename one, or remove that column")
    if names.count("") > 1:
        raise DataError(f"{field}: the header has {names.count('')} columns without a name: name them, or remove them")
    table = pl.read_csv(text.encode(), separator=separator, infer_schema_length=0)
    table.columns = names
    cells = pl.all().str.strip_chars().str.replace(_QUOTED_BEHIND_A_BLANK, "$1")
    table = table.with_columns(cells).with_columns(
        pl.when(pl.all().is_in(list(MISSING))).then(None).otherwise(pl.all()).name.keep()
    )
    return typed(table, separator)


_QUOTED_BEHIND_A_BLANK = '^"(.*)"$'


def _stripped(name: str | None) -> str:
    return re.sub(_QUOTED_BEHIND_A_BLANK, r"\1", (name or "").strip())


def _outside_quotes(line: str) -> str:
    return re.sub('"[^"]*"', "", line)
