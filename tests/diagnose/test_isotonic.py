from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from overmix.diagnose.isotonic import falling, falling_then_rising

curves = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=25).map(lambda v: np.array(v, dtype=np.float64))


def oracle(values: np.ndarray, *, increasing: bool) -> np.ndarray:
    if len(values) == 0:
        return values
    return IsotonicRegression(increasing=increasing).fit_transform(np.arange(len(values)), values)


@given(curves)
def test_falling_is_isotonic_regression(values: np.ndarray) -> None:
    np.testing.assert_allclose(falling(values), oracle(values, increasing=False), atol=1e-8)


@given(curves)
def test_unimodal_fit_is_the_best_of_all_splits(values: np.ndarray) -> None:
    fits = [
        np.concatenate([oracle(values[:k], increasing=False), oracle(values[k:], increasing=True)])
        for k in range(len(values) + 1)
    ]
    best = min(((values - fit) ** 2).sum() for fit in fits)
    found = falling_then_rising(values)
    np.testing.assert_allclose(((values - found) ** 2).sum(), best, atol=1e-7)
    signs = np.sign(np.diff(found)[np.abs(np.diff(found)) > 1e-9])
    assert (np.diff(signs) >= 0).all()  # falls first, then rises
