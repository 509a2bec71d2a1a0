"""A chart of lines with bands, named at their ends: risks over steps, noise over the mixing weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.report.charts import Chart
from overmix.report.charts.frame import spread
from overmix.report.charts.layers import LABEL_HEIGHT, Layer, haloed, hover_layers, quantitative, short
from overmix.report.numbers import NONE

_SIZE = (700, 360)
_SMALLEST = 1e-12  # what a logarithmic axis shows instead of zero


@dataclass(frozen=True)
class Series:
    """One line.

    Args:
        name: shown at its end.
        values: shape (points,).
        low: lower end of its band, if it has one.
        high: upper end of its band.
        dashed: whether the line is dashed; a first line that is has the neutral colour of a reference.
    """

    name: str
    values: Float[np.ndarray, " points"]
    low: Float[np.ndarray, " points"] | None = None
    high: Float[np.ndarray, " points"] | None = None
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """One axis: what it says, whether it is logarithmic, and its range if that is not the data's."""

    title: str
    log: bool = False
    domain: tuple[float, float] | None = None
    format: str = "~f"


@dataclass(frozen=True)
class Mark:
    """A vertical line with a note, such as a best stopping time."""

    x: float
    text: str


def line_chart(
    name: str,
    title: str,
    caption: str,
    note: str,
    x: Float[np.ndarray, " points"],
    series: Sequence[Series],
    *,
    x_axis: Axis,
    y_axis: Axis,
    subtitle: str = "",
    marks: Sequence[Mark] = (),
    dots: bool = False,
    lines: bool = True,
) -> Chart:
    """Draw lines over a common horizontal axis; points without a value are left out.

    Args:
        name: stem of the figure's files, and id on the page.
        title: heading on the page; the figure's own title is the vertical axis'.
        caption: what is drawn.
        note: where the bands come from.
        x: horizontal positions; on a logarithmic axis those <= 0 are left out.
        series: the lines.
        x_axis: the horizontal axis.
        y_axis: the vertical axis.
        subtitle: under the figure's title.
        marks: vertical lines.
        dots: whether the points are drawn.
        lines: whether they are joined, and named at the end of the line.
    """
    colors = {"field": "condition", "type": "nominal", "legend": None, "scale": _color_scale(series)}
    bounds = _domain(series, y_axis)
    y = {"scale": _scale(y_axis, bounds), "axis": {"format": y_axis.format, "tickCount": 6, "title": None}}
    horizontal = quantitative("epoch") | {
        "scale": _scale(x_axis, x_axis.domain or (float(x[x > 0].min() if x_axis.log else x.min()), float(x.max()))),
        "axis": {"title": x_axis.title, "format": x_axis.format, "tickCount": 8},
    }
    joined = [_band(y), *_lines(series, y), _ends(y)] if lines else []
    layers = [*joined, *([_points(y)] if dots else []), *hover_layers()]
    for layer in layers:
        if layer["encoding"].get("color", colors) is None:
            del layer["encoding"]["color"]
        else:
            layer["encoding"]["color"] = colors
        if layer["encoding"].get("y") == quantitative("mean"):
            layer["encoding"]["y"] = quantitative("mean") | y
    layers += [part for number, mark in enumerate(marks) for part in _vertical(mark, number)]
    alt = _describe(title, x, series)
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": alt,
        "title": {"text": y_axis.title, "subtitle": subtitle} if subtitle else {"text": y_axis.title},
        "width": _SIZE[0],
        "height": _SIZE[1],
        "padding": 10,
        "params": [{"name": "labels", "value": True}],
        "datasets": {
            "curves": _rows(x, series, x_axis.log, y_axis.log),
            "hover": _hover(x, series, x_axis),
            "ends": _end_rows(series, bounds, y_axis.log),
        },
        "data": {"name": "curves"},
        "encoding": {"x": horizontal},
        "layer": layers,
        "usermeta": {"overmix": {"subtitle": subtitle}},
    }
    return Chart(name, title, caption, note, alt, spec, _table(x, series, x_axis))


def _color_scale(series: Sequence[Series]) -> dict[str, Any]:
    # The palette begins with the neutral colour of a reference: without one, a name that no line has takes it.
    names = [line.name for line in series]
    return {"domain": names if series[0].dashed else ["\u200b", *names], "range": "category"}


def _domain(series: Sequence[Series], axis: Axis) -> tuple[float, float]:
    if axis.domain:
        return axis.domain
    parts = [part for line in series for part in (line.values, line.low, line.high) if part is not None]
    values = np.concatenate(parts)
    values = values[np.isfinite(values) & ((values > 0) if axis.log else True)]
    if len(values) == 0:
        return (0.1, 1.0)
    low, high = float(values.min()), float(values.max())
    if axis.log:
        return max(low, _SMALLEST) / 1.3, 1.3 * max(high, _SMALLEST)
    room = 0.06 * max(high - low, 1e-9)
    return (0.0 if low >= 0 else low - room), high + room


def _scale(axis: Axis, domain: tuple[float, float]) -> dict[str, Any]:
    kind = {"type": "log"} if axis.log else {"type": "linear", "zero": False}
    return kind | {"domain": [short(v) for v in domain], "nice": False}


def _shown(x: float, value: float, log_x: bool, log_y: bool) -> bool:
    return bool(np.isfinite(value)) and not (log_x and x <= 0) and not (log_y and value <= 0)


def _rows(x: np.ndarray, series: Sequence[Series], log_x: bool, log_y: bool) -> list[dict[str, Any]]:
    rows = []
    for line in series:
        low, high = (line.values if part is None else part for part in (line.low, line.high))
        for at, value, lo, hi in zip(x, line.values, low, high, strict=True):
            if not _shown(float(at), float(value), log_x, log_y):
                continue
            row = {"condition": line.name, "epoch": short(float(at)), "mean": short(float(value))}
            if np.isfinite(lo) and np.isfinite(hi):
                row |= {"lo": short(max(float(lo), _SMALLEST) if log_y else float(lo)), "hi": short(float(hi))}
            rows.append(row)
    return rows


def _hover(x: np.ndarray, series: Sequence[Series], axis: Axis) -> list[dict[str, Any]]:
    rows = []
    for k, at in enumerate(x):
        if axis.log and at <= 0:
            continue
        says = {axis.title: f"{at:,.4g}"}
        says |= {line.name: f"{line.values[k]:.4g}" for line in series if np.isfinite(line.values[k])}
        rows.append({"epoch": short(float(at)), "says": says})
    return rows


def _end_rows(series: Sequence[Series], bounds: tuple[float, float], log: bool) -> list[dict[str, Any]]:
    finite = [line for line in series if np.isfinite(line.values).any()]
    low, high = np.log10(bounds) if log else bounds
    ends = [float(line.values[np.isfinite(line.values)][-1]) for line in finite]
    places = [float(np.log10(max(end, _SMALLEST))) if log else end for end in ends]
    pixel = float(high - low) / _SIZE[1]
    placed = spread([min(max(p, low), high) for p in places], LABEL_HEIGHT * pixel, low + 6 * pixel, high - 6 * pixel)
    return [
        {
            "condition": line.name,
            "text": f"{line.name} {0 if abs(end) < _SMALLEST else end:.3g}",
            "at": short(10**place if log else place),
        }
        for line, end, place in zip(finite, ends, placed, strict=True)
    ]


def _band(y: Layer) -> Layer:
    banded = {"filter": "isValid(datum.lo) && isValid(datum.hi)"}
    encoding: Layer = {"y": quantitative("lo") | y, "y2": {"field": "hi"}}
    return {"transform": [banded], "mark": {"type": "area", "style": "band", "clip": True}, "encoding": encoding}


def _lines(series: Sequence[Series], y: Layer) -> list[Layer]:
    dash = {
        "field": "condition",
        "type": "nominal",
        "legend": None,
        "scale": {
            "domain": [line.name for line in series],
            "range": [[5, 3] if line.dashed else [1, 0] for line in series],
        },
    }
    encoding = {"y": quantitative("mean") | y, "strokeDash": dash}
    return [{"mark": {"type": "line", "style": "line", "clip": True}, "encoding": encoding}]


def _points(y: Layer) -> Layer:
    return {"mark": {"type": "point", "style": "dot", "clip": True}, "encoding": {"y": quantitative("mean") | y}}


def _ends(y: Layer) -> Layer:
    return {
        "data": {"name": "ends"},
        "transform": [{"filter": "labels"}],
        "mark": {"type": "text", "style": "label", "dx": 10},
        "encoding": {
            "x": {"value": "width"},
            "y": quantitative("at") | y,
            "text": {"field": "text", "type": "nominal"},
        },
    }


def _vertical(mark: Mark, number: int) -> list[Layer]:
    data = {"values": [{"epoch": short(mark.x), "text": mark.text}]}
    rule = {"data": data, "mark": {"type": "rule", "style": "reference"}, "encoding": {"x": quantitative("epoch")}}
    text = {
        "data": data,
        "mark": {"type": "text", "style": "plain", "align": "left", "dx": 4},
        "encoding": {
            "x": quantitative("epoch"),
            "y": {"value": 8 + 15 * number},
            "text": {"field": "text", "type": "nominal"},
        },
    }
    return [rule, *haloed(text)]


def _describe(title: str, x: np.ndarray, series: Sequence[Series]) -> str:
    parts = [f"{title}."]
    for line in series:
        known = np.flatnonzero(np.isfinite(line.values))
        if len(known):
            k = known[int(np.argmin(line.values[known]))]
            end = line.values[known[-1]]
            parts.append(f"{line.name}: lowest {line.values[k]:.3g} at {x[k]:,.3g}, at the end {end:.3g}.")
    return " ".join(parts)


def _table(x: np.ndarray, series: Sequence[Series], axis: Axis) -> list[list[str]]:
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), 25)).round().astype(int))
    header = [axis.title, *(line.name for line in series)]
    return [header, *([f"{x[k]:,.4g}", *(_cell(line, int(k)) for line in series)] for k in rows)]


def _cell(line: Series, k: int) -> str:
    value = line.values[k]
    if not np.isfinite(value):
        return NONE
    if line.low is None or line.high is None or not np.isfinite(line.low[k]):
        return f"{value:.3g}"
    return f"{value:.3g} ({line.low[k]:.3g}–{line.high[k]:.3g})"
