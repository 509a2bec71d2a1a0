"""A metric's means and intervals, one line per condition of a study, against epochs or what else training goes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from overmix._typing import Float
from overmix.report.charts.series import Series
from overmix.report.metrics import Metric
from overmix.report.shown import Report
from overmix.study.analyse.record import ConditionSummary

# A switched condition shares its path with its Mixup twin up to the switch: the twin is drawn over it, and ERM,
# the thin reference, over both.
_OVER = {"switched": 0, "other": 1, "mixup": 2, "erm": 3}
_LONGEST_LABEL = 26  # the page's controls have the whole name


@dataclass(frozen=True)
class ProgressAxis:
    """What a metric is drawn against.

    Args:
        name: in words.
        key: in names of files and of the page's controls.
        digits: significant digits of its values in text; ``None`` for whole numbers.
    """

    name: str
    key: str
    digits: int | None = None


EPOCH, STEP, TRAVEL = (
    ProgressAxis("epoch", "epoch"),
    ProgressAxis("step", "step"),
    ProgressAxis("learning rate × steps", "learning-rate", digits=3),
)


def read_lines(report: Report, metric: Metric, along: ProgressAxis = EPOCH) -> list[Series]:
    """Return the metric's lines in the order of the study's conditions; conditions without a value are left out.

    Values are in the metric's own unit: fractions stay fractions. Where a point of a line with intervals has none, its
    ends equal the mean.
    """
    lines, roles = [], []
    for condition in report.conditions:
        mine = (pl.col("metric") == metric.key) & (pl.col("condition") == condition.name)
        rows = report.bands.filter(mine & (pl.col("epoch") >= 1) & pl.col("mean").is_finite()).sort("epoch")
        if rows.is_empty():
            continue
        epoch, mean, lo, hi = (
            rows[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in ("epoch", "mean", "lo", "hi")
        )
        place = _along(report, condition, along, epoch)
        if place is None:
            continue
        known = np.isfinite(lo) & np.isfinite(hi)
        lower, upper = (np.where(known, lo, mean), np.where(known, hi, mean)) if known.any() else (None, None)
        name = condition.name
        label = name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
        over = _OVER.get(condition.role, 1)
        lines.append(
            Series(name, place, mean, lower, upper, dash=report.strokes[condition.name].dash, label=label, over=over)
        )
        roles.append(condition.role)
    twins = [line for line, role in zip(lines, roles, strict=True) if role == "mixup"]
    return [_with_twin(line, twins) if role == "switched" else line for line, role in zip(lines, roles, strict=True)]


def _with_twin(switched: Series, twins: Sequence[Series]) -> Series:
    """Note the line that a switched condition branches off, and how many epochs before the fork they share."""
    for other in twins:
        n = min(len(switched.mean), len(other.mean))
        differs = np.flatnonzero(switched.mean[:n] != other.mean[:n])
        shared = int(differs[0]) - 1 if differs.size else n - 1
        if shared > switched.shared:
            switched = replace(switched, twin=other.name, shared=shared)
    return switched


def _along(
    report: Report, condition: ConditionSummary, along: ProgressAxis, epoch: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"] | None:
    """Return where a condition stands after its epochs; ``None`` if that is not known."""
    if along is EPOCH:
        return epoch
    looks = report.curves.filter(pl.col("condition") == condition.name).unique("epoch").sort("epoch")
    at = looks["step"] if along is STEP else condition.accumulated_lr
    if len(at) != len(looks):
        return None
    place = dict(zip(looks["epoch"].to_list(), at, strict=True))
    # As many digits as a chart can show, so that what is drawn and what is pointed at are the same number.
    return np.array([float(f"{place[int(e)]:.5g}") for e in epoch])


def other_axes(report: Report) -> list[ProgressAxis]:
    """Return what the conditions stand otherwise by than by epochs, up to a common factor.

    With one size of data the steps are the epochs in another unit; with one constant rate the learning rate says
    nothing more than the steps.
    """
    others = []
    for along in (STEP, TRAVEL):
        ratios: list[float] = []
        for condition in report.conditions:
            looks = report.curves.filter(pl.col("condition") == condition.name)["epoch"].unique().sort()
            epoch = looks.cast(pl.Float64).to_numpy()
            place = _along(report, condition, along, epoch)
            ratios += (place / epoch).tolist() if place is not None else []
        if ratios and min(ratios) > 0 and max(ratios) > 1.001 * min(ratios):
            others.append(along)
    return others
