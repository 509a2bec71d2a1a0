"""Means and intervals against SciPy's own."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overmix.report.bands import diverged_replicas, t_bands


def curves(values: np.ndarray, condition: str = "ERM", metric: str = "test_error") -> pl.DataFrame:
    """One epoch, one condition, a value per seed."""
    return pl.DataFrame({"condition": condition, "seed": range(len(values)), "epoch": 1, metric: values})


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_interval_is_students(values: list[float]) -> None:
    band = t_bands(curves(np.array(values))).row(0, named=True)
    assert band["mean"] == pytest.approx(np.mean(values))
    if np.ptp(values) > 1e-6:
        lo, hi = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (band["lo"], band["hi"]) == pytest.approx((lo, hi))


def test_one_seed_has_a_mean_and_no_interval() -> None:
    assert t_bands(curves(np.array([0.3]))).rows() == [("ERM", 1, "test_error", 0.3, None, None)]


def test_unmeasured_values_make_no_band() -> None:
    frame = curves(np.array([0.3, 0.4])).with_columns(val_error=pl.lit(None, pl.Float64))
    assert t_bands(frame)["metric"].to_list() == ["test_error"]


def test_no_replica_left_makes_no_band() -> None:
    bands = t_bands(curves(np.array([math.nan])))
    assert bands.is_empty()
    assert bands.columns == ["condition", "epoch", "metric", "mean", "lo", "hi"]


def test_diverged_replica_is_left_out_at_every_epoch() -> None:
    frame = pl.DataFrame(
        {
            "condition": "Mixup",
            "seed": [0, 0, 1, 1, 2, 2],
            "epoch": [1, 2] * 3,
            "test_error": [0.5, 0.4, 0.1, 0.1, 0.7, 0.6],
            "mix_loss": [1.0, 0.9, 1.0, math.nan, 1.0, 0.8],
        }
    )
    assert diverged_replicas(frame).rows() == [("Mixup", 1)]
    bands = t_bands(frame).filter(pl.col("metric") == "test_error").sort("epoch")
    assert bands["mean"].to_list() == pytest.approx([0.6, 0.5])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_counts_as_diverged(value: float) -> None:
    assert diverged_replicas(curves(np.array([0.1, value]), metric="test_cross_entropy")).rows() == [("ERM", 1)]


def test_a_training_loss_beyond_all_hope_counts_as_diverged_here_as_in_the_summary() -> None:
    frame = curves(np.array([0.1, 1e6]), metric="mix_loss").with_columns(test_cross_entropy=pl.lit(2.3))
    assert diverged_replicas(frame).rows() == [("ERM", 1)]


def test_missing_validation_is_no_divergence() -> None:
    frame = curves(np.array([0.3, 0.4])).with_columns(val_error=pl.lit(None, pl.Float64), mix_loss=None)
    assert diverged_replicas(frame).is_empty()
