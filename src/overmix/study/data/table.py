"""Rows of a table as samples: numbers as they are, a column for each category."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from overmix.errors import ConfigError, DataError, did_you_mean
from overmix.mix import LabelKind
from overmix.study.data.dataset import Dataset, TableColumns, dataset_of
from overmix.study.data.labels import check_asked, check_varies, domain_of
from overmix.study.data.set_aside import check_test_size, set_aside
from overmix.study.data.table_file import MOST_CATEGORIES, column_kind, read_table, why_text

if TYPE_CHECKING:
    import polars as pl

FEW_CLASSES = 20
"""Whole numbers of so few different values are classes; of more, one has to say what they are."""

_UNKNOWN = "(missing)"


def csv(
    path: str = "",
    target: str = "",
    domain: str = "",
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
    test_size: float = 0.25,
    labels: str = "auto",
) -> Dataset:
    """Read a table with a header, separated by commas, semicolons, tabs or bars.

    Columns of numbers are standardised, columns of text become a column of 0 and 1 for each category. What is fitted
    for that is fitted by each run on its own training samples: :func:`overmix.study.data.fit_inputs`. A missing number
    is the median of the training samples'; a missing category is one of its own; rows without a target are left out.
    Decimal commas, thousands and percent signs are read where a whole column has them. A column most of whose cells
    are numbers, but not all, is refused unless `categories` or `drop` name it.

    Args:
        path: the file.
        target: the column that is predicted: text and whole numbers of few values are classes, other numbers values.
        domain: the column that says where a row comes from, for recipes that need it; it is no input.
        categories: columns of numbers that are codes of categories, or of numbers and text.
        drop: columns that are no inputs.
        test_size: share of the rows that is set aside for testing, of every class alike, the same for every seed.
        labels: what the target is, ``classes`` or ``values``; ``auto`` reads it off the column.

    Raises:
        ConfigError: if there is no such file or column, or a setting cannot work.
        DataError: if a column cannot be trained on.
    """
    return _table_dataset("csv", path, target, domain, categories, drop, test_size, labels)


def parquet(
    path: str = "",
    target: str = "",
    domain: str = "",
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
    test_size: float = 0.25,
    labels: str = "auto",
) -> Dataset:
    """Read a table in a Parquet file; arguments, rules and errors are those of :func:`csv`."""
    return _table_dataset("parquet", path, target, domain, categories, drop, test_size, labels)


def _table_dataset(
    form: str,
    path: str,
    target: str,
    domain: str,
    categories: Sequence[str],
    drop: Sequence[str],
    test_size: float,
    labels: str,
) -> Dataset:
    check_test_size(test_size)
    check_asked(labels)
    table = read_table(path, form)
    field = f"data.path {path}"
    _check_columns(table.columns, target, domain, categories, drop)
    if form == "csv":
        _check_numbers(table.drop({*drop, *categories} | ({domain} if domain else set())), target, labels, field)
    table = table.filter(table[target].is_not_null())
    if not table.height:
        raise DataError(f"{field}: no row has a {target}: name another target")
    kind = target_kind(table[target], labels, field)
    if kind == "classes" and table[target].n_unique() < 2:
        raise DataError(f"{field}: the target {target} has a single class, {table[target][0]}: name another column")
    x, columns = inputs_of(table.drop({target, *drop} | ({domain} if domain else set())), categories, field)
    whole = _labelled(form, x, table[target], kind, field)
    if domain:
        whole = replace(whole, domain=torch.from_numpy(domain_numbers(table[domain], field)))
    unless = "of numbers, say data: {labels: values}"
    if column_kind(table[target]) != "number":
        unless = f"where {_first_text(table[target])} is to be a number, write numbers alone"
    return set_aside(replace(whole, table=columns), test_size, f"{field}: the target {target}", unless)


def _first_text(column: pl.Series) -> str:
    return repr(str(column.drop_nulls()[0])[:40])


def _check_columns(
    columns: Sequence[str], target: str, domain: str, categories: Sequence[str], drop: Sequence[str]
) -> None:
    if not target:
        shown = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
        raise ConfigError("data.target", target, f"name the column that is to be predicted: {shown}")
    named = {"target": [target], "domain": [domain] if domain else [], "categories": categories, "drop": drop}
    for option, names in named.items():
        for name in names:
            if name not in columns:
                raise ConfigError(f"data.{option}", name, f"no such column, {did_you_mean(str(name), columns)}")
    for option in ("domain", "categories", "drop"):
        if target in named[option]:
            raise ConfigError(f"data.{option}", target, "it is the target: name another column")


def _check_numbers(table: pl.DataFrame, target: str, labels: str, field: str) -> None:
    """Refuse columns that are text for a few cells only: a typo would make categories of all their numbers."""
    for column in table.iter_columns():
        if (why := why_text(column)) is None or (column.name == target and labels == "classes"):
            continue
        of = "target" if column.name == target else "column"
        ways = "labels: classes" if column.name == target else f"categories: [{column.name}] or drop: [{column.name}]"
        raise DataError(
            f"{field}: the {of} {column.name} {why}: write numbers alone, nothing where one is missing, or say {ways}"
        )


def target_kind(target: pl.Series, labels: str, field: str) -> LabelKind:
    """Return what a target is: classes, or values.

    Raises:
        DataError: if it cannot be told, or is neither.
    """
    if labels not in ("auto", "classes", "values"):
        raise ConfigError("data.labels", labels, "a target column holds classes or values")
    kind = column_kind(target)
    if kind in ("date", "empty", "nested"):
        raise DataError(f"{field}: the target {target.name} is {_KINDS[kind]}: name another column")
    if kind != "number":
        if labels == "values":
            raise DataError(
                f"{field}: the target {target.name} is text, such as {_first_text(target)}: write numbers alone, "
                "or say labels: classes"
            )
        return "classes"
    if labels != "auto":
        return labels  # type: ignore[return-value]
    return _kind_of_numbers(target, field)


def _kind_of_numbers(target: pl.Series, field: str) -> LabelKind:
    different, whole = target.n_unique(), not target.dtype.is_float()
    if whole and different <= FEW_CLASSES:
        return "classes"
    if not whole and (different > FEW_CLASSES or not bool((target == target.round()).all())):
        return "values"
    raise DataError(
        f"{field}: the target {target.name} has {different} different whole numbers: say data: {{labels: classes}} or "
        "data: {labels: values}"
    )


def _labelled(form: str, x: np.ndarray, target: pl.Series, kind: LabelKind, field: str) -> Dataset:
    none = x[:0]
    if kind == "values":
        y = target.cast(float).to_numpy().astype(np.float32).reshape(-1, 1)
        if not np.isfinite(y).all():
            raise DataError(f"{field}: the target {target.name} has values that are not finite: remove those rows")
        check_varies(y, field)
        return Dataset(form, _float(x), _float(y), _float(none), _float(y[:0]), num_classes=1, labels="values")
    names = target.unique().sort()
    codes = {name: number for number, name in enumerate(names)}
    y = np.array([codes[value] for value in target])
    whole = dataset_of(form, x, y, none, y[:0], len(names))
    return replace(whole, class_names=tuple(str(name) for name in names))


def _float(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def inputs_of(table: pl.DataFrame, categories: Collection[str], field: str) -> tuple[np.ndarray, TableColumns]:
    """Return the columns of a table as inputs, shape (n, columns), float32, numbers first, NaN where one is missing.

    Raises:
        DataError: for a column that is neither of numbers nor of categories, or no column at all.
    """
    if not table.width:
        raise DataError(f"{field}: no column is left to learn from: drop fewer")
    numbers: list[np.ndarray] = []
    coded: list[_Coded] = []
    names: list[str] = []
    for column in table.iter_columns():
        kind = column_kind(column)
        if column.name in categories:
            coded.append(_one_hot(column))
        elif kind == "number":
            numbers.append(_numbers(column, field))
            names.append(column.name)
        elif kind == "category":
            coded.append(_one_hot(column))
        else:
            raise DataError(f"{field}: the column {column.name} is {_KINDS[kind]}: leave it out, drop: [{column.name}]")
    names += [name for of in coded for name in of.names]
    x = np.concatenate([*(column[:, None] for column in numbers), *(of.columns for of in coded)], axis=1)
    return np.ascontiguousarray(x, dtype=np.float32), TableColumns(tuple(names), len(numbers))


_KINDS = {
    "text": f"text of more than {MOST_CATEGORIES} different values",
    "date": "a date or time",
    "empty": "empty",
    "nested": "of no plain values",
}


def _numbers(column: pl.Series, field: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        values: np.ndarray = column.cast(float).to_numpy().astype(np.float32)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise DataError(
            f"{field}: the column {column.name} is not finite in float32 at row {infinite[0] + 1}: replace that value, "
            f"or leave the column out, drop: [{column.name}]"
        )
    return values


@dataclass(frozen=True)
class _Coded:
    """A column of 0 and 1 for each category."""

    names: list[str]
    columns: np.ndarray


def _one_hot(column: pl.Series) -> _Coded:
    texts = column.cast(str).fill_null(_UNKNOWN)
    values = texts.unique().sort()
    columns = np.stack([(texts == value).to_numpy() for value in values], axis=1)
    return _Coded([f"{column.name}={value}" for value in values], columns)


def domain_numbers(column: pl.Series, field: str) -> np.ndarray:
    """Return the number of each row's domain.

    Raises:
        DataError: if a row has none.
    """
    if column.null_count():
        raise DataError(f"{field}: the domain {column.name} is missing in {column.null_count()} rows: fill it in")
    if column.dtype.is_float():
        raise DataError(f"{field}: the domain {column.name} holds real numbers: give integers or names")
    return domain_of(column.cast(str).to_numpy().astype(str), len(column), field)
