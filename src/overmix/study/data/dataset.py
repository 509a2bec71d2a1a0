"""The data set that a study draws its samples from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overmix.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """A pool of samples and a test set.

    Args:
        name: of the data set.
        x: the pool, shape (n, ...), uint8 or float32.
        y: its classes, shape (n,), int64 in 0..C-1.
        x_test: shape (m, ...), the pool's dtype.
        y_test: shape (m,), int64.
        num_classes: C.
    """

    name: str
    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor
    num_classes: int


def dataset_of(
    name: str, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, num_classes: int
) -> Dataset:
    """Return arrays that are known to be sound as a data set."""
    return Dataset(
        name,
        torch.from_numpy(np.ascontiguousarray(x)),
        torch.from_numpy(np.ascontiguousarray(y, dtype=np.int64)),
        torch.from_numpy(np.ascontiguousarray(x_test)),
        torch.from_numpy(np.ascontiguousarray(y_test, dtype=np.int64)),
        num_classes,
    )


def validate_arrays(x: np.ndarray, y: np.ndarray, field: str = "data") -> tuple[np.ndarray, np.ndarray, int]:
    """Check a user's arrays and bring them into the dtypes that training uses.

    Args:
        x: shape (n, ...), at least two dimensions: uint8 is kept, other numbers become float32.
        y: classes, shape (n,), integers 0..C-1, every one of them present.
        field: what errors call the arrays, as the user knows them.

    Returns:
        x, y as int64, and C.

    Raises:
        DataError: for empty, ragged, non-finite or mismatched arrays, or labels that are no classes.

    Example:
        >>> x, y, num_classes = validate_arrays(np.zeros((3, 2)), np.array([0, 1, 1]))
        >>> x.dtype, num_classes
        (dtype('float32'), 2)
    """
    return _samples(x, field), *_classes(x, y, field)


def _samples(x: np.ndarray, field: str) -> np.ndarray:
    if x.dtype.kind not in "buif":
        raise DataError(f"{field}: x has dtype {x.dtype}: give numbers in a rectangular array")
    if x.ndim < 2:
        raise DataError(
            f"{field}: x has shape {x.shape}: give (samples, features) or (samples, channels, height, width)"
        )
    if x.size == 0:
        raise DataError(f"{field}: x has shape {x.shape}: give at least one sample with at least one value")
    if x.dtype == np.uint8:
        return x
    with np.errstate(over="ignore"):
        as_float = x.astype(np.float32)
    bad = ~np.isfinite(as_float)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(f"{field}: x has {bad.sum()} values that are not finite, the first at {first}: clean them")
    return as_float


def _classes(x: np.ndarray, y: np.ndarray, field: str) -> tuple[np.ndarray, int]:
    if y.dtype.kind not in "iu":
        remedy = "convert them: y.astype(np.int64)" if y.dtype.kind in "fb" else "number the classes from 0"
        raise DataError(f"{field}: y has dtype {y.dtype}, but labels are integers 0..C-1: {remedy}")
    if y.ndim != 1 or len(y) != len(x):
        raise DataError(f"{field}: y has shape {y.shape} and x {x.shape}: give one label per sample")
    if y.min() < 0:
        raise DataError(f"{field}: y has the label {y.min()}: number the classes from 0")
    num_classes = int(y.max()) + 1
    if num_classes > len(y):
        raise DataError(
            f"{field}: y has the label {num_classes - 1} but only {len(y)} samples: number the classes from 0"
        )
    missing = np.flatnonzero(np.bincount(y, minlength=num_classes) == 0)
    if len(missing):
        raise DataError(
            f"{field}: y goes up to {num_classes - 1} but has no label {missing[0]}: number the classes 0..C-1"
        )
    if num_classes < 2:
        raise DataError(f"{field}: y has a single class: give at least two")
    return y.astype(np.int64), num_classes
