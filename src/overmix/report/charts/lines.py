"""A metric's means and intervals per condition as arrays, and the same in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from overmix._typing import Float
from overmix.report.charts.frame import log_ticks
from overmix.report.metrics import Metric
from overmix.report.numbers import NONE
from overmix.report.reading import Condition, Report


@dataclass(frozen=True)
class Line:
    """Mean and interval of one condition, in the metric's own unit (fractions stay fractions).

    Where a point has no interval, ``lo`` and ``hi`` equal the mean.
    """

    condition: Condition
    epoch: Float[np.ndarray, " n"]
    mean: Float[np.ndarray, " n"]
    lo: Float[np.ndarray, " n"]
    hi: Float[np.ndarray, " n"]
    has_band: bool

    @property
    def name(self) -> str:
        """Name of the condition."""
        return self.condition.name

    def at(self, epoch: float, metric: Metric) -> str:
        """Write the value at an epoch, with its interval."""
        i = np.flatnonzero(self.epoch == epoch)
        if i.size == 0:
            return NONE
        mean, lo, hi = (float(x[i[0]]) for x in (self.mean, self.lo, self.hi))
        return metric.with_interval(mean, lo, hi) if self.has_band else metric.text(mean)


def read_lines(report: Report, metric: Metric) -> list[Line]:
    """Return the metric's lines in the order of the study's conditions; conditions without a value are left out."""
    found = []
    for condition in report.conditions:
        mine = (pl.col("metric") == metric.key) & (pl.col("condition") == condition.name)
        rows = report.bands.filter(mine & (pl.col("epoch") >= 1) & pl.col("mean").is_finite()).sort("epoch")
        if rows.is_empty():
            continue
        epoch, mean, lo, hi = (
            rows[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in ("epoch", "mean", "lo", "hi")
        )
        known = np.isfinite(lo) & np.isfinite(hi)
        lo, hi = np.where(known, lo, mean), np.where(known, hi, mean)
        found.append(Line(condition, epoch, mean, lo, hi, bool(known.any())))
    return found


def describe(lines: Sequence[Line], metric: Metric) -> str:
    """Say what a chart of these lines shows, for readers who do not see it."""
    sentences = [f"{metric.label} against epoch."]
    for line in lines:
        i = int(np.argmin(line.mean))
        lowest, final = metric.text(float(line.mean[i])), metric.text(float(line.mean[-1]))
        sentences.append(f"{line.name}: lowest {lowest} at epoch {line.epoch[i]:,.0f}, at the end {final}.")
    return " ".join(sentences)


def tabulate(lines: Sequence[Line], metric: Metric) -> list[list[str]]:
    """Return the lines at about ten epochs as rows of text, a header row first."""
    epochs = np.unique(np.concatenate([line.epoch for line in lines]))
    wanted = log_ticks(float(epochs[0]), float(epochs[-1]))
    chosen = sorted({float(epochs[np.argmin(np.abs(epochs - w))]) for w in wanted} | {float(epochs[-1])})
    header = ["Epoch", *(line.name for line in lines)]
    return [header, *([f"{e:,.0f}", *(line.at(e, metric) for line in lines)] for e in chosen)]
