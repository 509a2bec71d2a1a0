"""Digits: 1,797 real images of handwritten digits, 8 by 8 pixels, shipped with scikit-learn."""

from __future__ import annotations

import numpy as np

from overmix.errors import MissingExtraError
from overmix.study.data.dataset import Dataset, image_dataset
from overmix.study.data.split import fixed_test_split

TEST_SIZE = 1000


def digits() -> Dataset:
    """Return images of shape (1, 8, 8), uint8 in 0..16: 1,000 for testing, 797 in the pool.

    The test samples are the same in every study, and stratified.

    Raises:
        MissingExtraError: if scikit-learn is not installed.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingExtraError("scikit-learn", "study") from None
    bunch = load_digits()
    x, y = bunch.images.astype(np.uint8)[:, None], bunch.target.astype(np.int64)
    pool, test = fixed_test_split(y, TEST_SIZE)
    return image_dataset("digits", "digits", (x[pool], y[pool]), (x[test], y[test]), num_classes=10)
