"""Digits: 1,797 real images of handwritten digits, 8 by 8 pixels, shipped with scikit-learn."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np

from overmix.errors import MissingExtraError
from overmix.study.data.dataset import Dataset, image_dataset
from overmix.study.data.split import fixed_test_split

_TEST_SIZE = 1000


def digits() -> Dataset:
    """Return images of shape (1, 8, 8), uint8 in 0..16: 1,000 for testing, 797 in the pool.

    The test samples are the same in every study, and stratified.

    Raises:
        MissingExtraError: if scikit-learn is not installed.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998.
    """
    table = _table()
    x, y = table[:, :64].astype(np.uint8).reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64)
    pool, test = fixed_test_split(y, _TEST_SIZE)
    return image_dataset("digits", "digits", (x[pool], y[pool]), (x[test], y[test]), num_classes=10)


def _table() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return 64 pixels and the class of each image.

    The package's file is read without the package where it lies in the usual place: importing scikit-learn takes a
    second, in this process and in each worker, which is what a worker's start would otherwise be spent on.
    """
    try:
        file = Path(str(distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")))
    except PackageNotFoundError:
        raise MissingExtraError("scikit-learn", "study") from None
    if file.is_file():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])
