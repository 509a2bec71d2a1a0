"""The picture of the census: one small frame for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from overmix.experiments.census.cells import RowSummary, is_share, last
from overmix.report.charts.frame import entry, focus, log_ticks
from overmix.report.figures import to_png, to_svg
from overmix.report.look import LIGHT, chart_config
from tools.png import packed

COLUMNS, WIDTH, HEIGHT = 4, 200, 120
LEGEND = [
    "orange: the recipe all along, with its turning epoch if it is u-shaped · grey, dashed: plain training",
    "blue dots: the end of a run that switches the recipe off there · green diamond: the end with AutoSwitch",
]
GREY, ORANGE, BLUE, GREEN = LIGHT.series[:4]


def picture(rows: Sequence[RowSummary]) -> bytes:
    """Return the picture as PNG."""
    return packed(to_png(to_svg(chart(rows)), scale=1.2))


def chart(rows: Sequence[RowSummary]) -> dict[str, Any]:
    """Return the Vega-Lite specification of the picture."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": "Test metric against epoch for every recipe of the census.",
        "title": {"text": "Test metric (lower is better) against epoch", "subtitle": LEGEND, "anchor": "start"},
        "columns": COLUMNS,
        "spacing": {"row": 66, "column": 52},
        "align": "all",
        "bounds": "flush",
        "padding": 10,
        "concat": [frame(row) for row in rows],
        "config": chart_config(LIGHT, []),
    }


def frame(row: RowSummary) -> dict[str, Any]:
    """Return one frame: both curves with their bands, what every switch ends with, and AutoSwitch."""
    unit = 100.0 if is_share(row) else 1.0
    curves = {name: _lines(row, name, unit) for name in ("erm", "on")}
    low, high = focus(list(curves.values()))
    switches, decided = _switches(row, unit), _auto(row, unit)
    ends = [dot["value"] for dot in (*switches, *decided)]
    room = 0.05 * (max(high, *ends) - min(low, *ends))
    domain = [min(low, *(end - room for end in ends)), max(high, *(end + room for end in ends))]
    inside = entry([(epoch, mean) for epoch, mean, _, _ in curves.values()], domain[1])
    first = min(inside, *(dot["epoch"] for dot in (*switches, *decided)))
    x = {
        "field": "epoch",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [first, last(row)], "nice": False},
        "axis": {"values": log_ticks(first, last(row)), "title": None, "labelOverlap": True, "format": "~s"},
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": domain, "nice": False, "zero": False},
        "axis": {
            "tickCount": 4,
            "title": None,
            "labelExpr": f"format(datum.value, '.2~f') + '{' %' if unit > 1 else ''}'",
        },
    }
    diagnosis, xy = row["diagnosis"]["on"], {"x": x, "y": y}
    turns = [{"epoch": diagnosis["turning_epoch"]}] if diagnosis["verdict"] == "u-shaped" else []
    marks = [
        *(_band(curves[name], color, xy) for name, color in (("erm", GREY), ("on", ORANGE))),
        _mark({"type": "rule", "strokeDash": [2, 3], "color": ORANGE}, turns, {"x": x}),
        _mark({"type": "line", "color": GREY, "strokeDash": [5, 3], "strokeWidth": 1.6}, _dots(curves["erm"]), xy),
        _mark({"type": "line", "color": ORANGE, "strokeWidth": 2}, _dots(curves["on"]), xy),
        _mark({**POINT, "color": BLUE, "size": 34}, switches, xy),
        _mark({**POINT, "shape": "diamond", "color": GREEN, "size": 80}, decided, xy),
    ]
    title = {"text": row["name"], "subtitle": diagnosis["verdict"], "fontSize": 12, "subtitleFontSize": 11, "offset": 6}
    return {
        "title": title,
        "width": WIDTH,
        "height": HEIGHT,
        "layer": marks,
    }


POINT = {"type": "point", "filled": True, "opacity": 1}
Line = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _lines(row: RowSummary, name: str, unit: float) -> Line:
    """Return epoch, mean and band, up to the look at which some seed of either curve had diverged."""
    curves = row["curves"]
    alive = [all(curve["mean"][i] is not None for curve in curves.values()) for i in range(len(row["looks"]))]
    kept = [
        (epoch, mean, *(ci or (mean, mean)))
        for epoch, mean, ci, both in zip(row["looks"], curves[name]["mean"], curves[name]["ci"], alive, strict=True)
        if both
    ]
    epoch, *values = np.array(kept, dtype=float).T
    return (epoch, *(unit * value for value in values))


def _dots(line: Line) -> list[dict[str, float]]:
    return [{"epoch": float(epoch), "value": float(mean)} for epoch, mean in zip(*line[:2], strict=True)]


def _switches(row: RowSummary, unit: float) -> list[dict[str, float]]:
    """Return what every switch ended with; never on has no place on a logarithmic axis."""
    ends = [(epoch, row["final"][f"off@{epoch}"]["mean"]) for epoch in row["grid"] if epoch]
    return [{"epoch": float(epoch), "value": unit * mean} for epoch, mean in ends if mean is not None]


def _auto(row: RowSummary, unit: float) -> list[dict[str, float]]:
    """Return what AutoSwitch ended with, at its median epoch."""
    mean, epoch = row["final"]["auto"]["mean"], float(np.median(row["auto"]["switch_at"]))
    return [] if mean is None else [{"epoch": max(1.0, epoch), "value": unit * mean}]


def _band(line: Line, color: str, xy: dict[str, Any]) -> dict[str, Any]:
    epoch, _, lo, hi = (part.tolist() for part in line)
    values = [{"epoch": e, "value": a, "to": b} for e, a, b in zip(epoch, lo, hi, strict=True)]
    return _mark({"type": "area", "color": color, "opacity": 0.16}, values, {**xy, "y2": {"field": "to"}})


def _mark(mark: dict[str, Any], values: list[dict[str, float]], encoding: dict[str, Any]) -> dict[str, Any]:
    return {"mark": {**mark, "clip": True}, "data": {"values": values}, "encoding": encoding}
