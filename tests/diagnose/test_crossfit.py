from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.diagnose.crossfit import BootstrapCurves, choose_splits, cross_fitted_depth
from overmix.errors import ConfigError


@given(st.integers(2, 9), st.integers(1, 200))
def test_splits_are_distinct_balanced_and_of_all_groups(n_groups: int, n_splits: int) -> None:
    splits = choose_splits(n_groups, n_splits, np.random.default_rng(0))
    unordered = {frozenset({tuple(s.tolist()), tuple((~s).tolist())}) for s in splits}
    assert len(unordered) == len(splits)
    most = comb(n_groups, n_groups // 2) // (2 if n_groups % 2 == 0 else 1)
    assert len(splits) == min(n_splits, most)
    assert all(abs(2 * int(s.sum()) - n_groups) <= 1 for s in splits)


def test_no_split_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="n_splits = 0"):
        choose_splits(10, 0, np.random.default_rng(0))


def test_depth_by_hand() -> None:
    # Two units; the first is lowest at epoch 1, the second at epoch 0. Without smoothing:
    # chosen on the first (1), read on the second: 0.5 - 0.4; chosen on the second (0), read on the first: 0.6 - 0.8.
    total = np.array([[[0.8, 0.2, 0.6]], [[0.3, 0.4, 0.5]]])
    splits = choose_splits(2, 1, np.random.default_rng(0))
    depth = cross_fitted_depth(BootstrapCurves(total, np.ones((2, 1))), splits, np.eye(3))
    assert depth[0] == pytest.approx(((0.5 - 0.4) + (0.6 - 0.8)) / 2)


def test_a_split_with_an_empty_half_is_left_out() -> None:
    curve = np.array([0.5, 0.1, 0.3])
    total = np.stack([curve, curve, 0 * curve])[:, None, :]
    splits = choose_splits(3, 3, np.random.default_rng(0))
    depth = cross_fitted_depth(BootstrapCurves(total, np.array([[1.0], [1.0], [0.0]])), splits, np.eye(3))
    assert depth[0] == pytest.approx(0.2)


def test_cross_fitting_removes_the_bias_of_the_minimum() -> None:
    """On pure noise, final minus minimum is far above zero; the cross-fitted depth is not."""
    rng = np.random.default_rng(0)
    groups = rng.normal(size=(10, 2000, 30))  # 2,000 data sets stand in the place of draws
    splits = choose_splits(10, 20, rng)
    depth = cross_fitted_depth(BootstrapCurves(groups, np.ones((10, 2000))), splits, np.eye(30))
    mean = groups.mean(axis=0)
    naive = mean[:, -1] - mean.min(axis=1)
    assert naive.mean() > 0.5
    assert abs(depth.mean()) < 4 * depth.std() / 2000**0.5
