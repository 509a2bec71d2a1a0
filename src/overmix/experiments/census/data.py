"""Arrays of rows that are studies of data which a study does not know by name: they are handed to it as an npz."""

from __future__ import annotations

import numpy as np

from overmix.study.data.digits import digits
from overmix.study.data.split import TEST_SPLIT_SEED, fixed_test_split

TEST_SIZE = 200
VAL_SIZE = 200
"""Digits that are held out where those of the pool are of another kind."""

AGREEMENT = 0.9
"""Share of the coloured training digits whose colour says the class."""

RATIO = 10.0
"""How many times more frequent the first class of the imbalanced digits is than the last."""


def diabetes() -> dict[str, np.ndarray]:
    """Return the progression of diabetes from ten measurements: 242 patients in the pool, 200 for testing."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(TEST_SPLIT_SEED).permutation(len(y))
    test, pool = order[:TEST_SIZE], order[TEST_SIZE:]
    return {"x": x[pool], "y": y[pool], "x_test": x[test], "y_test": y[test]}


def coloured_digits() -> dict[str, np.ndarray]:
    """Return digits of two colours, shape (N, 2, 8, 8), one channel of which holds the image: is the digit 5 or more?

    In training the colour says so in nine of ten cases; held-out and test digits come once in each colour, where it
    says nothing. The colours are the domains.
    """
    parts = _digits()
    x, digit = parts["pool"]
    is_high = (digit >= 5).astype(np.int64)
    agrees = np.random.default_rng(TEST_SPLIT_SEED).random(len(digit)) < AGREEMENT
    colour = np.where(agrees, is_high, 1 - is_high)
    arrays = {"x": _coloured(x, colour), "y": is_high, "domain": colour}
    for part in ("val", "test"):
        x, digit = parts[part]
        both = np.repeat([0, 1], len(x))
        arrays |= {
            f"x_{part}": _coloured(np.concatenate([x, x]), both),
            f"y_{part}": np.tile((digit >= 5).astype(np.int64), 2),
        }
    return arrays


def imbalanced_digits() -> dict[str, np.ndarray]:
    """Return digits whose classes become rarer from 0 to 9 in the pool, and are equally frequent elsewhere."""
    parts = _digits()
    x, y = parts["pool"]
    most = np.bincount(y).min()
    kept = [np.flatnonzero(y == label)[: round(most * RATIO ** (-label / 9))] for label in range(10)]
    chosen = np.sort(np.concatenate(kept))
    arrays = {"x": x[chosen], "y": y[chosen]}
    for part in ("val", "test"):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = parts[part]
    return arrays


def _digits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return images and classes of a pool, of held-out digits and of the test digits of all studies."""
    every = digits()
    x, y = every.x.numpy(), every.y.numpy()
    pool, val = fixed_test_split(y, VAL_SIZE)
    return {"pool": (x[pool], y[pool]), "val": (x[val], y[val]), "test": (every.x_test.numpy(), every.y_test.numpy())}


def _coloured(x: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return images (N, 1, 8, 8) in the channel of their colour."""
    coloured: np.ndarray = x * np.eye(2, dtype=x.dtype)[colour][:, :, None, None]
    return coloured
