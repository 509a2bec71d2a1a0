"""The tables of a study's page, and its panel of final errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import polars as pl

from overmix.report.metrics import TEST_BRIER, TEST_CROSS_ENTROPY, TEST_ECE, error_metric
from overmix.report.numbers import (
    NONE,
    count,
    decimal,
    duration,
    percent,
    percent_range,
    points,
    points_range,
    probability,
)
from overmix.report.shown import Report
from overmix.report.table import Table
from overmix.study.analyse.record import ConditionSummary, Estimate

VERDICTS = {"u-shaped": "U-shaped", "monotone": "monotone", "undecided": "undecided"}


@dataclass(frozen=True)
class Reading:
    """One row of the verdict's instrument panel; positions are percent of the panel's scale."""

    condition: ConditionSummary
    final: str
    interval: str
    lowest: str
    shape: str
    depth: str
    note: str
    best: bool
    at: float | None
    lo: float | None
    hi: float | None


@dataclass(frozen=True)
class Panel:
    """Final errors on one scale, whose ends are ``low`` and ``high``."""

    readings: Sequence[Reading]
    low: str
    high: str


def panel(report: Report) -> Panel:
    """Return the final errors of all conditions, with their places on a common scale."""
    bounds = [x for c in report.conditions for x in (c.final.value, c.final.lo, c.final.hi) if x is not None]
    low, high = (min(bounds), max(bounds)) if bounds else (0.0, 1.0)
    pad = max(0.12 * (high - low), 1e-4)
    low, high = max(0.0, low - pad), high + pad
    readings = [_reading(c, report, low, high) for c in report.conditions]
    return Panel(readings, percent(low, report.digits), percent(high, report.digits))


def _reading(c: ConditionSummary, report: Report, low: float, high: float) -> Reading:
    def place(x: float | None) -> float | None:
        return None if x is None else round(100 * (x - low) / (high - low), 2)

    lowest = percent(c.lowest.value, report.digits)
    if c.lowest.value is not None and c.turning_epoch.value is not None:
        lowest += f" at epoch {count(c.turning_epoch.value)}"
    return Reading(
        condition=c,
        final=percent(c.final.value, report.digits),
        interval=percent_range(c.final.lo, c.final.hi, report.digits),
        lowest=lowest,
        shape=VERDICTS.get(c.verdict or "", c.verdict or NONE),
        depth=_points(c.depth),
        note="; ".join(_notes(c)),
        best=c.name == report.summary.best,
        at=place(c.final.value),
        lo=place(c.final.lo),
        hi=place(c.final.hi),
    )


def _notes(c: ConditionSummary) -> list[str]:
    notes = [f"{c.n_diverged} of {c.n_seeds} replicas diverged"] if c.n_diverged else []
    if c.decided:
        low, high = min(c.decided), max(c.decided)
        where = f"{low}" if low == high else f"{low}–{high}, median {median(c.decided):g}"
        notes.append(f"switched by itself at epoch {where}")
    checkpoint = c.best_checkpoint
    if checkpoint and checkpoint.epochs and (checkpoint.gain.lo or 0) > 0:
        gain, epoch = points(checkpoint.gain.value, 1), median(checkpoint.epochs)
        notes.append(
            f"the checkpoint with the best validation score is {gain} points better (median epoch {epoch:.0f})"
        )
    return notes


def _points(x: Estimate) -> str:
    interval = points_range(x.lo, x.hi)
    return points(x.value) if interval == NONE else f"{points(x.value)} ({interval})"


def shape_table(report: Report) -> Table:
    """Return lowest error, depth, practical size and shape of each curve."""
    rows = [[r.condition.name, r.lowest, r.depth, points(r.condition.delta), r.shape] for r in panel(report).readings]
    caption = "Depth and practical size in percentage points; 95 % intervals in brackets"
    return Table(caption, ["Condition", "Lowest", "Depth", "Practical size", "Curve"], rows)


def price_table(report: Report) -> Table:
    """Return what each condition costs: error, calibration, losses, steps."""
    error = error_metric(report.digits)
    base = next((c.steps for c in report.conditions if c.role == "erm" and c.steps), None)
    rows = []
    for c in report.conditions:
        cells = [
            metric.with_interval(x.value, x.lo, x.hi)
            for metric, x in (
                (error, c.final),
                (TEST_ECE, c.ece),
                (TEST_CROSS_ENTROPY, c.cross_entropy),
                (TEST_BRIER, c.brier),
            )
        ]
        rows.append([c.name, *cells, _steps(c.steps, base), duration(c.seconds)])
    columns = ["Condition", "Test error", "Calibration error", "Cross-entropy", "Brier score", "Steps", "Clock time"]
    if all(c.seconds is None for c in report.conditions):
        rows, columns = [row[:-1] for row in rows], columns[:-1]
    return Table("At the last epoch, on the test set; 95 % intervals in brackets", columns, rows)


def _steps(steps: float | None, base: float | None) -> str:
    if steps is None or base is None or steps == base:
        return count(steps)
    return f"{count(steps)} ({steps / base:.2f} × ERM)"


def comparison_table(report: Report) -> Table:
    """Return the paired differences of final errors."""
    rows = [
        [
            x.a,
            x.b,
            points(x.difference.value),
            points_range(x.difference.lo, x.difference.hi),
            probability(x.p_holm),
            count(x.n),
        ]
        for x in report.comparisons
    ]
    columns = ["a", "b", "a − b, points", "95 % interval", "p (Holm)", "n"]
    return Table("Differences of final errors, paired over seeds; negative: a has the lower error", columns, rows)


def rule_table(report: Report) -> Table | None:
    """Return the test error at the lowest training loss beside that at the end; ``None`` if the study has no such."""
    error = error_metric(report.digits)
    rows = [
        [
            c.name,
            decimal(lowest.loss, 3),
            f"{median(lowest.epochs):g}",
            error.with_interval(lowest.error.value, lowest.error.lo, lowest.error.hi),
            error.with_interval(c.final.value, c.final.lo, c.final.hi),
        ]
        for c in report.conditions
        if (lowest := c.lowest_loss) and lowest.epochs
    ]
    columns = ["Condition", "Lowest training loss", "Median epoch", "Test error there", "Test error at the end"]
    caption = (
        "Two rules of reporting: at the lowest training loss so far (our recollection of the paper's), and at the end"
    )
    return Table(caption, columns, rows) if rows else None


def seed_table(report: Report) -> Table:
    """Return each seed's final and lowest test error under each condition."""
    diverged = set(report.diverged)
    cells: dict[tuple[str, int], str] = {}
    for (name, seed), rows in report.curves.group_by("condition", "seed", maintain_order=True):
        key = (str(name), int(seed))
        cells[key] = "diverged" if key in diverged else _seed_cell(rows, report.digits)
    seeds = sorted({seed for _, seed in cells})
    names = [c.name for c in report.conditions]
    table = [[str(seed), *(cells.get((name, seed), NONE) for name in names)] for seed in seeds]
    return Table("Final test error per seed, and the lowest with its epoch", ["Seed", *names], table)


def _seed_cell(rows: pl.DataFrame, digits: int) -> str:
    measured = rows.filter(pl.col("test_error").is_finite()).sort("epoch")
    if measured.is_empty():
        return NONE
    final = measured.row(-1, named=True)["test_error"]
    lowest = measured.sort("test_error", "epoch").row(0, named=True)
    return f"{percent(final, digits)} ({percent(lowest['test_error'], digits)} at {count(lowest['epoch'])})"


def versions(report: Report) -> list[str]:
    """Return what the numbers were made with: a line for the machine that finished, and one for each earlier one."""
    present = report.summary.versions
    lines = [*([present] if present else []), *report.summary.earlier_versions]
    return [" · ".join(f"{name} {version}" for name, version in line.items()) for line in lines]
