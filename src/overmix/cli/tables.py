"""Tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from overmix.recipes import RecipeEntry


def summary_table(summary: Mapping[str, Any]) -> Table:
    """Return one row per condition: final error, turning point, depth, verdict."""
    table = Table(title=Text(summary["name"]), title_justify="left", header_style="bold")
    table.add_column("condition")
    for heading in ("final error", "lowest", "at epoch", "depth", "verdict", "seeds"):
        table.add_column(heading, justify="right")
    for row in summary["conditions"]:
        name = Text(row["name"], style="bold" if row["name"] == summary["best"] else "")
        seeds = f"{row['n_seeds']}" + (f" ({row['n_diverged']} diverged)" if row["n_diverged"] else "")
        table.add_row(
            name,
            _percent(row["final_error"], row["final_error_ci"]),
            _percent(row["lowest_error"], None),
            "–" if row["turning_epoch"] is None else f"{row['turning_epoch']:g}",
            _percent(row["depth"], row["depth_ci"]),
            row["verdict"],
            seeds,
        )
    return table


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


def _percent(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "–"
    shown = f"{100 * value:.1f} %"
    return shown if interval is None else f"{shown} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
