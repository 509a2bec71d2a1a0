"""Write the data of the studies in this folder, from what scikit-learn brings along: python examples/make_npz.py."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes, load_digits


def diabetes(folder: Path) -> None:
    """Ten measurements of 442 patients, and the progression of their disease a year later: float labels."""
    x, y = load_diabetes(return_X_y=True)
    np.savez(folder / "diabetes.npz", x=x.astype(np.float32), y=y)


def two_scanners(folder: Path) -> None:
    """Digits below five or not, seen by two scanners of which one inverts.

    In training 95 % of the small digits come from the first scanner and as many of the others from the second, so that
    the scanner is an easy but wrong clue; in the test both scanners see every digit equally often.
    """
    rng = np.random.default_rng(0)
    images, digit = load_digits(return_X_y=True)
    y = (digit >= 5).astype(np.int64)
    test = rng.permutation(len(y)) < 600
    scanner = np.where(test, rng.random(len(y)) < 0.5, (rng.random(len(y)) < 0.95) == (y == 1)).astype(np.int64)
    x = np.where(scanner[:, None] == 1, 16 - images, images).astype(np.float32)
    np.savez(folder / "two-scanners.npz", x=x[~test], y=y[~test], domain=scanner[~test], x_test=x[test], y_test=y[test])


def main(folder: Path) -> None:
    """Write all of them."""
    diabetes(folder)
    two_scanners(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
