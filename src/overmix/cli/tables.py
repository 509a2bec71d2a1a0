"""Tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from overmix.recipes import RecipeEntry
from overmix.report.numbers import NONE, percent, points_range


def summary_table(summary: Mapping[str, Any]) -> Table:
    """Return one row per condition: error at the end, turning epoch, depth, verdict; fits 80 columns."""
    table = Table(title=Text(_title(summary)), title_justify="left", header_style="bold", box=box.SIMPLE)
    table.add_column("condition")
    for heading in ("error", "95 %", "lowest at", "depth", "95 %", "verdict"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for row in summary["conditions"]:
        turn = row["turning_epoch"]
        table.add_row(
            Text(row["name"], style="bold" if row["name"] == summary["best"] else ""),
            percent(row["final_error"]),
            _interval(row["final_error_ci"]),
            NONE if turn is None else f"{turn:g}",
            percent(row["depth"]),
            _interval(row["depth_ci"]),
            row["verdict"] + (f", {row['n_diverged']} diverged" if row["n_diverged"] else ""),
        )
    return table


def _title(summary: Mapping[str, Any]) -> str:
    seeds = sorted({row["n_seeds"] for row in summary["conditions"]})
    return f"{summary['name']}, {'–'.join(map(str, seeds))} {'seed' if seeds == [1] else 'seeds'}"


def _interval(ci: Sequence[float] | None) -> str:
    return NONE if ci is None else points_range(ci[0], ci[1], digits=1).replace(" to ", "…")


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
