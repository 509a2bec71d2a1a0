"""Digits: 1,797 real images of handwritten digits, 8 by 8 pixels, shipped with scikit-learn."""

from __future__ import annotations

import numpy as np

from overmix.study.data.dataset import Dataset, dataset_of
from overmix.study.data.split import stratified_order

TEST_SIZE = 1000
_SPLIT_SEED = 20230302
"""Fixes the test samples for every study, so that results on digits are comparable."""


def digits() -> Dataset:
    """Return images of shape (1, 8, 8), uint8 in 0..16: 1,000 test samples, 797 in the pool.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x, y = bunch.images.astype(np.uint8)[:, None], bunch.target.astype(np.int64)
    order = stratified_order(y, np.random.default_rng(_SPLIT_SEED))
    test, pool = np.sort(order[:TEST_SIZE]), np.sort(order[TEST_SIZE:])
    return dataset_of("digits", x[pool], y[pool], x[test], y[test], num_classes=10)
