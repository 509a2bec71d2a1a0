"""A picture of curves over time, in the look of the reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overmix.report.figures import to_png, to_svg
from overmix.report.look import LIGHT, assign_strokes, chart_config

SIZE = (560, 300)
LEGEND = {"orient": "bottom", "columns": 3, "title": None, "symbolOpacity": 1, "symbolType": "square"}
_ROLES = {"ERM": "erm", "Mixup": "mixup"}


def picture_spec(picture: Mapping[str, Any], subtitle: str) -> dict[str, Any]:
    """Return the Vega-Lite specification of a :class:`~overmix.experiments.reproduce.finding.Picture`, as JSON has it.

    Points at or below zero are left out where an axis is logarithmic.
    """
    names = list(picture["series"])
    log_x = all(x > 0 for line in picture["series"].values() for x in line["x"])
    rows = [row for name in names for row in _rows(name, picture["series"][name], log_y=picture["log_y"])]
    strokes = assign_strokes(_ROLES.get(name.split(",")[0], "other") for name in names)
    color = {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": names, "range": "category"},
        "legend": LEGEND if len(names) > 1 else None,
    }
    y_scale: dict[str, Any] = {"type": "log", "nice": False} if picture["log_y"] else {"zero": False, "nice": True}
    y = {"type": "quantitative", "scale": y_scale}
    dash = {"field": "series", "type": "nominal", "legend": None,
            "scale": {"domain": names, "range": [list(stroke.dash) or [1, 0] for stroke in strokes]}}  # fmt: skip
    layers: list[dict[str, Any]] = [
        {
            "transform": [{"filter": "isValid(datum.lo)"}],
            "mark": {"type": "area", "opacity": 0.16},
            "encoding": {"color": color, "y": {"field": "lo", **y}, "y2": {"field": "hi"}},
        },
        {
            "mark": {"type": "line", "style": "line"},
            "encoding": {"color": color, "y": {"field": "mean", **y}, "strokeDash": dash},
        },
    ]
    if picture["reference"] is not None:
        layers.append(
            {
                "data": {"values": [{"level": picture["reference"]}]},
                "mark": {"type": "rule", "style": "reference"},
                "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": {"field": "level", **y}},
            }
        )
    axis = {"title": f"{picture['x_title']}{' (log scale)' if log_x else ''}", "tickCount": 6, "format": "~s"}
    scale: dict[str, Any] = {"type": "log" if log_x else "linear", "nice": False}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": {"text": picture["title"], "subtitle": subtitle},
        "width": SIZE[0],
        "height": SIZE[1],
        "padding": 10,
        "config": chart_config(LIGHT, strokes),
        "data": {"values": rows},
        "encoding": {"x": {"field": "x", "type": "quantitative", "scale": scale, "axis": axis}},
        "layer": layers,
    }


def draw(picture: Mapping[str, Any], subtitle: str, scale: float = 1.5) -> tuple[bytes, str]:
    """Return a picture as PNG and as SVG."""
    svg = to_svg(picture_spec(picture, subtitle))
    return to_png(svg, scale), svg


def _rows(name: str, line: Mapping[str, Sequence[float]], *, log_y: bool) -> list[dict[str, Any]]:
    rows = []
    for k, (x, mean) in enumerate(zip(line["x"], line["mean"], strict=True)):
        row: dict[str, Any] = {"series": name, "x": x, "mean": mean, "lo": None, "hi": None}
        if "lo" in line:
            low = line["lo"][k]
            # The interval of a mean may reach below zero, which a logarithmic axis has not.
            row |= {"lo": max(low, 0.1 * mean) if log_y else low, "hi": line["hi"][k]}
        if mean > 0 or not log_y:
            rows.append(row)
    return rows
