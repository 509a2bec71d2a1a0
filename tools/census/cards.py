"""The section of a method card that says whether the method over-trains."""

from __future__ import annotations

from collections.abc import Sequence

from overmix.experiments.census.cells import RowSummary
from tools.census.cells import CELLS, markdown
from tools.marked import Part

PART = Part("census", "census")


def with_section(text: str, rows: Sequence[RowSummary]) -> str:
    """Return a card whose section between the markers is written anew.

    Raises:
        OvermixError: if the markers are not there.
    """
    return PART.within(text, section(rows))


def section(rows: Sequence[RowSummary]) -> str:
    """Return what a card says of its method's over-training."""
    header = ["task", "verdict", "turns at", "depth", "plain", "recipe", "best switch", "AutoSwitch"]
    lines = [[_titled(row), *(CELLS[column](row) for column in header[1:])] for row in rows]
    return "\n".join(
        [
            "**Measured over-training.**",
            "",
            *markdown(header, lines),
            "",
            f"Lower is better, {rows[0]['n_seeds']} seeds; tasks, intervals, comparisons: [census](../census.md).",
        ]
    )


def _titled(row: RowSummary) -> str:
    variant = f" ({row['variant']})" if row["variant"] else ""
    return f"{row['task']['title']}{variant}"
