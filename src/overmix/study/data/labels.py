"""What the labels in a user's arrays are: classes, rows, values; read off where that is certain, else asked."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from overmix.errors import ConfigError, DataError, did_you_mean
from overmix.mix import LabelKind

Asked = Literal["auto", "classes", "rows", "values", "views"]
"""What a study may say of labels; ``"auto"`` reads it off the array."""

_FEW = 20  # so few different whole numbers are as likely classes as values


def check_asked(labels: str) -> None:
    """Refuse what is no kind of labels.

    Raises:
        ConfigError: with the nearest kind.
    """
    if labels not in get_args(Asked):
        raise ConfigError("data.labels", labels, did_you_mean(labels, get_args(Asked)))


def label_kind_of(y: np.ndarray, asked: str, field: str) -> LabelKind:
    """Return what labels are.

    Args:
        y: as the user saved them.
        asked: what the study says they are.
        field: what errors call the arrays.

    Raises:
        DataError: if it cannot be told, saying both ways out.

    Example:
        >>> [label_kind_of(np.array(y), "auto", "data") for y in ([0.31, 1.7, 2.2], [0, 1, 1])]
        ['values', 'classes']
    """
    if asked != "auto":
        return asked  # type: ignore[return-value]
    if y.ndim == 2 and y.dtype.kind in "buif" and y.size:
        return _kind_of_rows(y, field)
    if y.ndim == 1 and y.dtype.kind == "f" and y.size and np.isfinite(y).all():
        different = np.unique(y)
        if len(different) <= _FEW and (different == np.round(different)).all():
            raise DataError(
                f"{field}: y holds {len(different)} whole numbers in {y.dtype}: save y.astype(int) for "
                "classes, or say data: {labels: values} if they are to be regressed"
            )
        return "values"
    return "classes"


def _kind_of_rows(y: np.ndarray, field: str) -> LabelKind:
    bits = bool(np.isin(y, (0, 1)).all())
    if bits and y.shape[1] > 1 and (y.astype(np.int64).sum(1) == 1).all():
        raise DataError(
            f"{field}: every row of y has a single 1: save y.argmax(1) if they are classes, or say "
            "data: {labels: rows} if a sample may have several labels"
        )
    if bits and y.shape[1] > 1:
        return "rows"
    if y.dtype.kind == "f" and y.shape[1] > 1 and (y >= 0).all() and np.allclose(y.sum(1), 1, atol=1e-3):
        raise DataError(
            f"{field}: the rows of y are shares that sum to 1: save y.argmax(1) for classes, or say data: "
            "{labels: values} to regress them"
        )
    return "values"


def numbers(y: np.ndarray, n: int, kind: LabelKind, name: str, field: str) -> np.ndarray:
    """Return labels that are no classes as rows, shape (n, K), float32.

    Raises:
        DataError: if they are no finite numbers, one row for each sample, or rows hold something else than 0 and 1.
    """
    if y.ndim not in (1, 2) or len(y) != n or y.dtype.kind not in "buif":
        raise DataError(
            f"{field}: {name} has dtype {y.dtype} and shape {y.shape}, but there are {n} samples: give one row of "
            "numbers per sample"
        )
    with np.errstate(over="ignore"):
        rows = y.reshape(n, -1).astype(np.float32)
    if not np.isfinite(rows).all():
        first = int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
        raise DataError(f"{field}: {name}[{first}] is not finite in float32: remove or replace it")
    if kind == "rows" and not np.isin(rows, (0, 1)).all():
        raise DataError(f"{field}: {name} has values other than 0 and 1: rows say which labels a sample has")
    return rows


def check_varies(y: np.ndarray, field: str) -> None:
    """Refuse values that are all the same: there is nothing to learn, and no variance that errors are shares of.

    Raises:
        DataError: naming the column.
    """
    constant = np.flatnonzero(y.min(0) == y.max(0))
    if len(constant):
        raise DataError(f"{field}: column {constant[0]} of y is the same for all samples: leave it out")


def mask_of(unlabelled: np.ndarray, n: int, field: str) -> np.ndarray:
    """Return which samples have no label, shape (n,).

    Raises:
        DataError: if it is no mask, or covers all.
    """
    if unlabelled.shape != (n,) or not np.isin(unlabelled, (0, 1)).all():
        raise DataError(f"{field}: unlabelled has shape {unlabelled.shape}: give true or false for each of {n} samples")
    mask = unlabelled.astype(bool)
    if mask.all():
        raise DataError(f"{field}: unlabelled is true for all samples: leave some their label")
    return mask


def domain_of(domain: np.ndarray, n: int, field: str) -> np.ndarray:
    """Return the number of each sample's domain, shape (n,), int64; names and numbers of any kind are numbered.

    Raises:
        DataError: if there is not one for each sample.
    """
    if domain.shape != (n,) or domain.dtype.kind not in "biuUS":
        raise DataError(
            f"{field}: domain has dtype {domain.dtype} and shape {domain.shape}: give one integer or name per sample"
        )
    numbered: np.ndarray = np.unique(domain, return_inverse=True)[1].astype(np.int64)
    return numbered
