"""What a row of the census says, as text: the columns of the terminal's table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from overmix.report.numbers import count, decimal, percent, points

RowSummary = dict[str, Any]
"""A row as :func:`summarize` returns it."""


def is_share(row: RowSummary) -> bool:
    """Return whether the metric is a share, which is written in percent."""
    return bool(row["task"]["kind"] != "value")


def number(row: RowSummary, x: float | None) -> str:
    """Write a value of the row's metric."""
    return percent(x) if is_share(row) else decimal(x)


def final(row: RowSummary, name: str) -> str:
    """Write the mean at the end of a condition."""
    return number(row, row["final"][name]["mean"])


def last(row: RowSummary) -> int:
    """Return the number of epochs."""
    return int(row["grid"][-1])


def change(row: RowSummary, x: float | None) -> str:
    """Write a difference of two values of the row's metric, in points if it is a share."""
    return points(x, 1) if is_share(row) else decimal(x)


SHORT: dict[str, Callable[[RowSummary], str]] = {
    "row": lambda row: str(row["name"]),
    "verdict": lambda row: str(row["diagnosis"]["on"]["verdict"]),
    "turns": lambda row: count(row["diagnosis"]["on"]["turning_epoch"]),
    "depth": lambda row: change(row, row["diagnosis"]["on"]["depth"]),
    "plain": lambda row: final(row, row["erm"]),
    "recipe": lambda row: final(row, f"off@{last(row)}"),
    "best": lambda row: final(row, f"off@{row['best']}"),
    "off at": lambda row: count(row["best"]),
    "auto": lambda row: final(row, "auto"),
    "auto at": lambda row: count(float(np.median(row["auto"]["switch_at"]))),
}
"""Columns of the terminal's table, without intervals, which are in the files and on the page."""
