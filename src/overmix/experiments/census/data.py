"""Arrays of rows that are studies of data which a study does not know by name: they are handed to it as an npz."""

from __future__ import annotations

import numpy as np

from overmix.study.data.split import TEST_SPLIT_SEED

TEST_SIZE = 200


def diabetes() -> dict[str, np.ndarray]:
    """Return the progression of diabetes from ten measurements: 242 patients in the pool, 200 for testing."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(TEST_SPLIT_SEED).permutation(len(y))
    test, pool = order[:TEST_SIZE], order[TEST_SIZE:]
    return {"x": x[pool], "y": y[pool], "x_test": x[test], "y_test": y[test]}
