"""A picture of curves over time, as a chart in the look of the explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overmix.report.charts import Chart
from overmix.report.charts.axis import Axis
from overmix.report.charts.line_chart import line_chart
from overmix.report.charts.series import DASHED, PLAIN_LOOK, Series, Values
from overmix.report.explain.surface import surface_chart
from overmix.report.numbers import decimal, decimal_range

REFERENCE = "floor"


def picture_chart(experiment: str, setting: Mapping[str, Any], picture: Mapping[str, Any]) -> Chart:
    """Return the chart of a :class:`~overmix.experiments.reproduce.finding.Picture` or ``Surface``, as JSON has it.

    Its name is that of setting and picture. Points at or below zero are left out where an axis is logarithmic.
    """
    if "loss" in picture:
        return _surface_chart(experiment, setting["key"], picture)
    lines, key = picture["series"], setting["key"]
    x = np.unique(np.concatenate([line["x"] for line in lines.values()]))
    log_x, log_y = bool((x > 0).all()), picture["log_y"]
    # ERM is what all is compared with: first, dashed and neutral, as in the reports.
    names = sorted(lines, key=lambda name: not name.startswith("ERM"))
    series = [_series(name, lines[name], log_y=log_y, first=k == 0) for k, name in enumerate(names)]
    if picture["reference"] is not None:
        series.insert(0, Series(REFERENCE, x, np.full(len(x), picture["reference"]), dash=DASHED))
    banded = any("lo" in line for line in lines.values())
    return line_chart(
        f"{key}-{picture['name']}",
        f"{picture['title']}: {key}",
        f"{picture['title']}, against {picture['x_title']}; mean of {setting['n']} seed{'s' * (setting['n'] != 1)}.",
        "Bands: 95 % t-interval of the mean over seeds." if banded else "Without an interval.",
        series,
        x_axis=Axis(picture["x_title"], log=log_x, format="~s"),
        y_axis=Axis(
            picture["title"], log=log_y, domain=None if log_y else _frame(series), format="~g" if log_y else "~f"
        ),
        values=Values(_in_percent) if picture["title"].endswith("%") else PLAIN_LOOK,
        subtitle=f"{experiment}, {key}, n = {setting['n']}",
    )


def _surface_chart(experiment: str, key: str, picture: Mapping[str, Any]) -> Chart:
    return surface_chart(
        f"{key}-{picture['name']}",
        picture["title"],
        np.array(picture["steps"]),
        np.array([[float(value) for value in row.split()] for row in picture["loss"]]),
        top=picture["top"],
        subtitle=f"{experiment}, {key}, seed {picture['seed']}",
    )


def _series(name: str, line: Mapping[str, Sequence[float]], *, log_y: bool, first: bool) -> Series:
    x, mean = np.asarray(line["x"], dtype=np.float64), np.asarray(line["mean"], dtype=np.float64)
    lo, hi = (np.asarray(line[end], dtype=np.float64) if end in line else None for end in ("lo", "hi"))
    if log_y and lo is not None:
        # The interval of a mean may reach below zero, which a logarithmic axis has not.
        lo = np.maximum(lo, 0.1 * mean)
    return Series(name, x, mean, lo, hi, dash=DASHED if first and name.startswith("ERM") else ())


def _in_percent(x: float, lo: float | None, hi: float | None) -> str:
    """Write a value to a tenth of a percent, as the tables do: 21.0 beside 21.3."""
    value = decimal(x, 1)
    return value if lo is None or hi is None else f"{value} ({decimal_range(lo, hi, 1)})"


def _frame(series: Sequence[Series]) -> tuple[float, float]:
    """Return a vertical range that leaves out what is far below all curves: a change is small beside its level."""
    parts = [part for line in series for part in (line.mean, line.lo, line.hi) if part is not None]
    low, high = float(np.nanmin(np.concatenate(parts))), float(np.nanmax(np.concatenate(parts)))
    room = 0.06 * max(high - low, 1e-9)
    return (max(0.0, low - room) if low >= 0 else low - room), high + room
