r"""From one row per (condition, seed, epoch) to a mean and an interval per (condition, epoch).

    mean ± t_{n−1, 97.5 %} · s / √n

over the n seeds of a condition, where s is their standard deviation (n − 1 in the denominator). This interval says how
well the mean over seeds is known *on this test set*.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from overmix.diagnose.interval import t_factor
from overmix.train import TRACKED, diverged

_METRICS = (
    "mix_loss",
    *(f"{split}_{name}" for split in ("test", "val", "train") for name in ("error", "cross_entropy", "brier", "ece")),
    *TRACKED,
)
_KEYS = ("condition", "seed", "epoch")


def diverged_replicas(curves: pl.DataFrame) -> pl.DataFrame:
    """Return the (condition, seed) pairs that diverged, as :func:`overmix.train.diverged` judges their last epoch.

    A null is a value that was never measured and no sign of divergence.
    """
    last = curves.sort("epoch").group_by("condition", "seed", maintain_order=True).last()
    mix_loss, cross_entropy = (
        last[name].cast(pl.Float64).fill_null(0.0).to_numpy() if name in last.columns else np.zeros(last.height)
        for name in ("mix_loss", "test_cross_entropy")
    )
    return (
        last.filter(pl.Series(diverged(mix_loss, cross_entropy))).select("condition", "seed").sort("condition", "seed")
    )


def t_bands(curves: pl.DataFrame) -> pl.DataFrame:
    """Return mean and 95 % t-interval over seeds as rows (condition, epoch, metric, mean, lo, hi).

    A replica that diverged is left out at every epoch, so that a curve is the mean of the same seeds throughout.
    ``lo`` and ``hi`` are null where fewer than two seeds remain.

    Example:
        >>> curves = pl.DataFrame({"condition": "ERM", "seed": [0, 1], "epoch": 1, "test_error": [0.1, 0.2]})
        >>> t_bands(curves).select("metric", "mean").rows()
        [('test_error', 0.15000000000000002)]
    """
    metrics = [m for m in _METRICS if m in curves.columns]
    kept = curves.join(diverged_replicas(curves), on=["condition", "seed"], how="anti")
    tall = kept.select(*_KEYS, *metrics).unpivot(metrics, index=list(_KEYS), variable_name="metric")
    tall = tall.filter(pl.col("value").is_finite())  # a null is not finite either
    if tall.is_empty():
        schema = {"condition": pl.String, "epoch": pl.Int64, "metric": pl.String}
        return pl.DataFrame(schema=schema | dict.fromkeys(("mean", "lo", "hi"), pl.Float64))
    grouped = tall.group_by("condition", "epoch", "metric", maintain_order=True).agg(
        mean=pl.col("value").mean(), sd=pl.col("value").std(ddof=1), n=pl.len()
    )
    sizes = grouped["n"].unique().to_list()
    quantile = {n: t_factor(n - 1) for n in sizes if n > 1}
    factor = pl.col("n").replace_strict(quantile, default=None, return_dtype=pl.Float64)
    half = factor * pl.col("sd") / pl.col("n").sqrt()
    return grouped.with_columns(lo=pl.col("mean") - half, hi=pl.col("mean") + half).drop("sd", "n")
