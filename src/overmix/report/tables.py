"""The tables of a study's page, and its panel of final errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import polars as pl

from overmix.report.metrics import TEST_BRIER, TEST_CROSS_ENTROPY, TEST_ECE, Metric
from overmix.report.numbers import (
    NONE,
    count,
    decimal,
    duration,
    points,
    probability,
)
from overmix.report.shown import Report
from overmix.report.table import Table
from overmix.study.analyse.record import ConditionSummary

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
    recommended: bool
    first: bool
    at: float | None
    lo: float | None
    hi: float | None


@dataclass(frozen=True)
class Panel:
    """Final errors on one scale, whose ends are ``low`` and ``high``."""

    readings: Sequence[Reading]
    low: str
    high: str

    @property
    def unfolded(self) -> list[Reading]:
        """The rows that are shown at first."""
        return [reading for reading in self.readings if reading.first]

    @property
    def folded(self) -> list[Reading]:
        """The rest."""
        return [reading for reading in self.readings if not reading.first]


def panel(report: Report) -> Panel:
    """Return the final errors of all conditions, with their places on a common scale."""
    bounds = [x for c in report.conditions for x in (c.final.value, c.final.lo, c.final.hi) if x is not None]
    low, high = (min(bounds), max(bounds)) if bounds else (0.0, 1.0)
    pad = max(0.12 * (high - low), 1e-4)
    low, high = max(0.0, low - pad), high + pad
    readings = [_reading(c, report, low, high) for c in report.conditions]
    return Panel(readings, report.error.text(low), report.error.text(high))


def _reading(c: ConditionSummary, report: Report, low: float, high: float) -> Reading:
    def place(x: float | None) -> float | None:
        return None if x is None else round(100 * (x - low) / (high - low), 2)

    lowest = report.error.text(c.lowest.value)
    if c.lowest.value is not None and c.turning_epoch.value is not None:
        lowest += f" at epoch {count(c.turning_epoch.value)}"
    return Reading(
        condition=c,
        final=report.error.text(c.final.value),
        interval=report.error.interval(c.final.lo, c.final.hi),
        lowest=lowest,
        shape=VERDICTS.get(c.verdict or "", c.verdict or NONE),
        depth=report.error.difference_with_interval(c.depth.value, c.depth.lo, c.depth.hi),
        note="; ".join(_notes(c, report.error)),
        recommended=c.name == report.advice.condition,
        first=c in report.first,
        at=place(c.final.value),
        lo=place(c.final.lo),
        hi=place(c.final.hi),
    )


def _notes(c: ConditionSummary, error: Metric) -> list[str]:
    notes = [f"{c.n_diverged} of {c.n_seeds} replicas diverged"] if c.n_diverged else []
    if c.decided and c.epochs and min(c.decided) >= c.epochs:
        notes.append("went on mixing to the end, by its own decision")
    elif c.decided:
        low, high = min(c.decided), max(c.decided)
        where = f"{low}" if low == high else f"{low}–{high}, median {median(c.decided):g}"
        notes.append(f"switched by itself at epoch {where}")
    checkpoint = c.best_checkpoint
    if checkpoint and checkpoint.epochs and (checkpoint.gain.lo or 0) > 0:
        value, epoch = checkpoint.gain.value, median(checkpoint.epochs)
        gain = f"{points(value, 1)} points" if error.is_share else error.difference(value)
        notes.append(f"the checkpoint with the best validation score is {gain} better (median epoch {epoch:.0f})")
    return notes


def shape_table(report: Report) -> Table:
    """Return lowest error, depth, practical size and shape of each curve."""
    rows = [
        [r.condition.name, r.lowest, r.depth, report.error.difference(r.condition.delta), r.shape]
        for r in panel(report).readings
    ]
    unit = " in percentage points" if report.error.is_share else ""
    caption = f"Depth and practical size{unit}; 95 % intervals in brackets"
    return Table(caption, ["Condition", "Lowest", "Depth", "Practical size", "Curve"], rows)


def price_table(report: Report) -> Table:
    """Return what each condition costs: error, calibration, losses, steps."""
    priced = _priced(report)
    balanced = _balanced_column(report)
    base = next((c.steps for c in report.conditions if c.role == "erm" and c.steps), None)
    rows = []
    for c in report.conditions:
        measured = zip(priced, (c.final, c.ece, c.cross_entropy, c.brier), strict=False)
        cells = [metric.with_interval(x.value, x.lo, x.hi) for metric, x in measured]
        if balanced:
            cells.insert(1, balanced.with_interval(c.balanced.value, c.balanced.lo, c.balanced.hi))
        rows.append([c.name, *cells, _steps(c.steps, base), duration(c.seconds)])
    columns = ["Condition", *priced.values(), "Steps", "Clock time"]
    if balanced:
        columns.insert(2, "Balanced error")
    if all(c.seconds is None for c in report.conditions):
        rows, columns = [row[:-1] for row in rows], columns[:-1]
    return Table("At the last epoch, on the test set; 95 % intervals in brackets", columns, rows)


def _balanced_column(report: Report) -> Metric | None:
    """Return how the balanced error is written, where classes are unequal and it is not the error that is judged."""
    return report.error if report.summary.unequal and report.summary.metric == "error" else None


def _priced(report: Report) -> dict[Metric, str]:
    """Return the measured columns of the price table: those of probabilities are of classes alone."""
    error = {report.error: report.error.label}
    if report.summary.labels != "classes":
        return error
    return error | {TEST_ECE: "Calibration error", TEST_CROSS_ENTROPY: "Cross-entropy", TEST_BRIER: "Brier score"}


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
            report.error.difference(x.difference.value),
            report.error.difference_range(x.difference.lo, x.difference.hi),
            probability(x.p_holm),
            count(x.n),
        ]
        for x in report.comparisons
    ]
    columns = ["a", "b", report.error.difference_heading("a − b"), "95 % interval", "p (Holm)", "n"]
    return Table("Differences of final errors, paired over seeds; negative: a has the lower error", columns, rows)


def rule_table(report: Report) -> Table | None:
    """Return the test error at the lowest training loss beside that at the end; ``None`` if the study has no such."""
    error = report.error
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
        cells[key] = "diverged" if key in diverged else _seed_cell(rows, report.error)
    seeds = sorted({seed for _, seed in cells})
    names = [c.name for c in report.conditions]
    table = [[str(seed), *(cells.get((name, seed), NONE) for name in names)] for seed in seeds]
    return Table("Final test error per seed, and the lowest with its epoch", ["Seed", *names], table)


def _seed_cell(rows: pl.DataFrame, error: Metric) -> str:
    measured = rows.filter(pl.col("test_error").is_finite()).sort("epoch")
    if measured.is_empty():
        return NONE
    final = measured.row(-1, named=True)["test_error"]
    lowest = measured.sort("test_error", "epoch").row(0, named=True)
    return f"{error.text(final)} ({error.text(lowest['test_error'])} at {count(lowest['epoch'])})"


def versions(report: Report) -> list[str]:
    """Return what the numbers were made with: a line for the machine that finished, and one for each earlier one."""
    present = report.summary.versions
    lines = [*([present] if present else []), *report.summary.earlier_versions]
    return [" · ".join(f"{name} {version}" for name, version in line.items()) for line in lines]
