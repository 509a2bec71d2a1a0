"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from overmix.recipes import RecipeEntry
from overmix.report.numbers import NONE, percent, points_range
from overmix.study import Summary
from overmix.study.analyse.record import Estimate


def summary_table(summary: Summary) -> Table:
    """Return one row per condition: error at the end, turning epoch, depth, verdict; fits 80 columns."""
    table = Table(title=Text(_title(summary)), title_justify="left", header_style="bold", box=box.SIMPLE)
    table.add_column("condition")
    for heading in ("error", "95 %", "lowest at", "depth", "95 %", "verdict"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for condition in summary.conditions:
        turn = condition.turning_epoch.value
        table.add_row(
            Text(condition.name, style="bold" if condition.name == summary.best else ""),
            percent(condition.final.value),
            _interval(condition.final),
            NONE if turn is None else f"{turn:g}",
            percent(condition.depth.value),
            _interval(condition.depth),
            (condition.verdict or NONE) + (f", {condition.n_diverged} diverged" if condition.n_diverged else ""),
        )
    return table


def _title(summary: Summary) -> str:
    seeds = sorted({condition.n_seeds for condition in summary.conditions})
    return f"{summary.name}, {'–'.join(map(str, seeds))} {'seed' if seeds == [1] else 'seeds'}"


def _interval(estimate: Estimate) -> str:
    return points_range(estimate.lo, estimate.hi, digits=1).replace(" to ", "…")


def recipe_table(entries: Sequence[RecipeEntry]) -> Table:
    """Return one row per recipe."""
    table = Table(header_style="bold")
    for heading in ("recipe", "parameters", "what it does", "source"):
        table.add_column(heading)
    for entry in entries:
        parameters = ", ".join(f"{name}={value!r}" for name, value in entry.defaults.items())
        summary = entry.summary.replace("`", "")
        table.add_row(Text(entry.name, style="bold"), Text(parameters), Text(summary), Text(entry.source))
    return table
