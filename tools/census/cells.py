"""What a row of the census says, as text: the same words on the page and on the method cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from overmix.experiments.census.cells import RowSummary, change, final, last
from overmix.report.numbers import NONE, count, decimal, percent


def interval(row: RowSummary, ci: Sequence[float] | None) -> str:
    """Write an interval of the row's metric, in points if it is a share."""
    if ci is None or any(end is None for end in ci):
        return NONE
    return f"[{change(row, ci[0])} to {change(row, ci[1])}]"


def compared(row: RowSummary, a: str, b: str) -> RowSummary:
    """Return the difference of two conditions."""
    return next(found for found in row["comparisons"] if (found["a"], found["b"]) == (a, b))


def difference(row: RowSummary, a: str, b: str) -> str:
    """Write ``a - b`` with its interval; negative where a is better."""
    found = compared(row, a, b)
    return f"{change(row, found['difference'])} {interval(row, found['ci'])}"


def gain(row: RowSummary, a: str, b: str) -> str:
    """Write what a gains over b, with its interval; positive where a is better, a dash where both are the same run."""
    if a == "best" and b == "on" and row["best"] == last(row):
        return NONE
    found = compared(row, a, b)
    ci = found["ci"] and [-found["ci"][1], -found["ci"][0]]
    return f"{change(row, -found['difference'])} {interval(row, ci)}"


def at_epoch(row: RowSummary, epoch: float) -> str:
    """Write when a recipe is switched off; the ends have names."""
    return {0: "never on", last(row): "never off"}.get(int(epoch), f"at {count(epoch)}")


def best_switch(row: RowSummary) -> str:
    """Write the error of the best switch, and when it is."""
    return f"{final(row, 'off@' + str(row['best']))} {at_epoch(row, row['best'])}"


def auto_switch(row: RowSummary) -> str:
    """Write the error of AutoSwitch, its median epoch and its cost."""
    switched, cost = (float(np.median(row["auto"][name])) for name in ("switch_at", "cost"))
    return f"{final(row, 'auto')} {at_epoch(row, switched)}, cost {decimal(cost, 2)}"


def turning(row: RowSummary, name: str = "on") -> str:
    """Write the turning epoch with its interval."""
    found = row["diagnosis"][name]
    ci = found["turning_epoch_ci"]
    between = "" if ci is None else f" [{count(ci[0])} to {count(ci[1])}]"
    return f"{count(found['turning_epoch'])}{between} of {count(last(row))}"


def depth(row: RowSummary, name: str = "on") -> str:
    """Write the depth of the U with its interval."""
    found = row["diagnosis"][name]
    return f"{change(row, found['depth'])} {interval(row, found['depth_ci'])}"


def calibration(row: RowSummary, name: str) -> str:
    """Write the expected calibration error of a condition, if the task has one."""
    return percent(row["final"][name].get("ece"))


CELLS: dict[str, Callable[[RowSummary], str]] = {
    "row": lambda row: str(row["name"]),
    "verdict": lambda row: str(row["diagnosis"]["on"]["verdict"]),
    "turns at": turning,
    "depth": depth,
    "plain": lambda row: final(row, row["erm"]),
    "recipe": lambda row: final(row, f"off@{last(row)}"),
    "best switch": best_switch,
    "its gain": lambda row: gain(row, "best", "on"),
    "AutoSwitch": auto_switch,
    "gain of AutoSwitch": lambda row: gain(row, "auto", "on"),
}
"""Columns of the table, and what they say of a row."""


CONTROLS = ["row", "control", "its value", "recipe − control", "best switch − control"]
"""Header of the table of controls."""


def controls(rows: Sequence[RowSummary]) -> list[list[str]]:
    """Return each control of each row with what the recipe and its best switch have more."""
    return [
        [row["name"], name, final(row, name), difference(row, "on", name), difference(row, "best", name)]
        for row in rows
        for name in (pair["b"] for pair in row["comparisons"] if pair["a"] == "on" and pair["b"] != "erm")
    ]


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    return [f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows]]
