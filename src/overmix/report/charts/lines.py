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
class Axis:
    """What a metric is drawn against.

    Args:
        name: in words.
        key: in names of files and of the page's controls.
        digits: significant digits of its values in text; ``None`` for whole numbers.
    """

    name: str
    key: str
    digits: int | None = None

    def text(self, x: float) -> str:
        """Write a value."""
        return f"{x:,.0f}" if self.digits is None else f"{x:,.{self.digits}g}"


EPOCH, STEP, TRAVEL = (
    Axis("epoch", "epoch"),
    Axis("step", "step"),
    Axis("learning rate × steps", "learning-rate", digits=3),
)


@dataclass(frozen=True)
class Line:
    """Mean and interval of one condition, in the metric's own unit (fractions stay fractions).

    Where a point has no interval, ``lo`` and ``hi`` equal the mean. ``epoch`` is what it is drawn against: epochs,
    unless another axis was asked for.
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


def read_lines(report: Report, metric: Metric, axis: Axis = EPOCH) -> list[Line]:
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
        place = _along(report, condition, axis, epoch)
        if place is None:
            continue
        known = np.isfinite(lo) & np.isfinite(hi)
        lo, hi = np.where(known, lo, mean), np.where(known, hi, mean)
        found.append(Line(condition, place, mean, lo, hi, bool(known.any())))
    return found


def _along(
    report: Report, condition: Condition, axis: Axis, epoch: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"] | None:
    """Return where a condition stands on an axis after its epochs; ``None`` if that is not known."""
    if axis is EPOCH:
        return epoch
    looks = report.curves.filter(pl.col("condition") == condition.name).unique("epoch").sort("epoch")
    at = looks["step"] if axis is STEP else condition.accumulated_lr
    if len(at) != len(looks):
        return None
    place = dict(zip(looks["epoch"].to_list(), at, strict=True))
    # As many digits as a chart can show, so that what is drawn and what is pointed at are the same number.
    return np.array([float(f"{place[int(e)]:.5g}") for e in epoch])


def other_axes(report: Report) -> list[Axis]:
    """Return the axes on which the conditions stand otherwise than on that of epochs, up to a common factor.

    With one size of data the steps are the epochs in another unit; with one constant rate the learning rate says
    nothing more than the steps.
    """
    found = []
    for axis in (STEP, TRAVEL):
        ratios: list[float] = []
        for condition in report.conditions:
            own = report.curves.filter(pl.col("condition") == condition.name)["epoch"].unique().sort()
            epoch = own.cast(pl.Float64).to_numpy()
            place = _along(report, condition, axis, epoch)
            ratios += (place / epoch).tolist() if place is not None else []
        if ratios and min(ratios) > 0 and max(ratios) > 1.001 * min(ratios):
            found.append(axis)
    return found


def describe(lines: Sequence[Line], metric: Metric, axis: Axis = EPOCH) -> str:
    """Say what a chart of these lines shows, for readers who do not see it."""
    sentences = [f"{metric.label} against {axis.name}."]
    for line in lines:
        i = int(np.argmin(line.mean))
        lowest, final = metric.text(float(line.mean[i])), metric.text(float(line.mean[-1]))
        sentences.append(
            f"{line.name}: lowest {lowest} at {axis.name} {axis.text(float(line.epoch[i]))}, at the end {final}."
        )
    return " ".join(sentences)


def tabulate(lines: Sequence[Line], metric: Metric, axis: Axis = EPOCH) -> list[list[str]]:
    """Return the lines at about ten epochs as rows of text, a header row first.

    On other axes, where conditions are looked at in different places: at the last look up to there.
    """
    epochs = np.unique(np.concatenate([line.epoch for line in lines]))
    wanted = log_ticks(float(epochs[0]), float(epochs[-1]))
    chosen = sorted({float(epochs[np.argmin(np.abs(epochs - w))]) for w in wanted} | {float(epochs[-1])})
    header = [f"{axis.name[0].upper()}{axis.name[1:]}", *(line.name for line in lines)]
    if axis is EPOCH:
        return [header, *([f"{e:,.0f}", *(line.at(e, metric) for line in lines)] for e in chosen)]
    return [header, *([axis.text(e), *(line.at(_last_look(line, e), metric) for line in lines)] for e in chosen)]


def _last_look(line: Line, place: float) -> float:
    before = line.epoch[line.epoch <= place]
    return float(before[-1]) if len(before) else np.nan
