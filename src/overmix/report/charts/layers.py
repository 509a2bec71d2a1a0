"""The layers that curve charts share: bands and lines, names at the lines' ends, and what the pointer brings up.

Layers name styles and never colours: a layer has its condition's colour, or ink where it says ``"color": None``. They
use a condition's name as data only, never inside an expression or as a field: it may hold quotes, dots or brackets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from overmix.report.charts.frame import spread
from overmix.report.charts.lines import EPOCH, Axis, Line
from overmix.report.metrics import Metric
from overmix.report.reading import Report

Layer = dict[str, Any]
Rows = list[dict[str, Any]]

ONLY_SHOWN: Layer = {"filter": "indexof(shown, datum.condition) >= 0"}
MAX_BANDS = 8  # more bands on top of each other show nothing
LABEL_HEIGHT = 17  # pixels between names at the lines' ends
# A switched condition shares its path with its Mixup twin up to the switch: the twin is drawn over it, and ERM,
# the thin reference, over both.
_DRAWN_LATER = {"switched": 0, "other": 1, "mixup": 2, "erm": 3}


def quantitative(field: str) -> Layer:
    """Encode a field as a quantity."""
    return {"field": field, "type": "quantitative"}


def haloed(layer: Layer) -> list[Layer]:
    """Return a text layer with a rim of paper behind it, so that it reads on top of lines and bands."""
    rim = layer["mark"] | {"style": [layer["mark"]["style"], "halo"]}
    return [layer | {"mark": rim}, layer]


def short(x: float) -> float:
    """Keep five significant digits: a chart cannot show more, and the page stays small."""
    return float(f"{x:.5g}")


def curve_rows(lines: Sequence[Line], metric: Metric) -> Rows:
    """Return one row per (condition, epoch) in the chart's unit, in drawing order."""
    rows = []
    for line in sorted(lines, key=lambda x: _DRAWN_LATER.get(x.condition.role, 1)):
        twin, shared = _shared_path(line, lines)
        for i, (epoch, *values) in enumerate(zip(line.epoch, line.mean, line.lo, line.hi, strict=True)):
            mean, lo, hi = (short(metric.scale * float(v)) for v in values)
            row = {"condition": line.name, "epoch": short(float(epoch)), "mean": mean, "lo": lo, "hi": hi}
            rows.append(row | {"twin": twin} if i < shared else row)
    return rows


def _shared_path(line: Line, lines: Sequence[Line]) -> tuple[str, int]:
    """Return the line that a switched condition branches off, and how many epochs before the fork they share."""
    if line.condition.role != "switched":
        return "", 0
    best = ("", 0)
    for other in lines:
        n = min(len(line.mean), len(other.mean))
        differs = np.flatnonzero(line.mean[:n] != other.mean[:n])
        shared = int(differs[0]) - 1 if differs.size else n - 1
        if other.condition.role == "mixup" and shared > best[1]:
            best = (other.name, shared)
    return best


def curve_layers(report: Report, lines: Sequence[Line]) -> list[Layer]:
    """Return bands and lines; dots where evaluations are few, whiskers where there is a single one."""
    evaluations = max(len(line.epoch) for line in lines)
    layers: list[Layer] = []
    if any(line.has_band for line in lines) and len(lines) <= MAX_BANDS:
        mark: Layer = {"type": "rule", "style": "whisker"} if evaluations == 1 else {"type": "area", "style": "band"}
        bounds = {"y": quantitative("lo"), "y2": {"field": "hi"}}
        # Two bands on top of each other have a third colour: where twins share their path, one band is enough.
        single = {"filter": "!isValid(datum.twin) || indexof(shown, datum.twin) < 0"}
        layers.append({"transform": [single], "mark": {**mark, "clip": True}, "encoding": bounds})
    if evaluations > 1:
        scale = {
            "domain": [c.name for c in report.conditions],
            "range": [list(c.stroke.dash) or [1, 0] for c in report.conditions],
        }
        dash = {"field": "condition", "type": "nominal", "scale": scale, "legend": None}
        encoding = {"y": quantitative("mean"), "strokeDash": dash}
        layers.append({"mark": {"type": "line", "style": "line", "clip": True}, "encoding": encoding})
    if evaluations <= 12:
        dots = {"type": "point", "style": "dot", "clip": True}
        layers.append({"mark": dots, "encoding": {"y": quantitative("mean")}})
    return layers


def hover_rows(lines: Sequence[Line], metric: Metric, axis: Axis = EPOCH) -> Rows:
    """Return one row per epoch, with what the tooltip says there.

    On other axes conditions are looked at in different places: a row names those that were looked at there.
    """
    rows = []
    for epoch in sorted({float(e) for line in lines for e in line.epoch}):
        here = [line for line in lines if axis is EPOCH or epoch in line.epoch]
        says = {_tooltip_key(line.name): line.at(epoch, metric) for line in here}
        rows.append({"epoch": epoch, "says": {axis.name: axis.text(epoch)} | says})
    return rows


def _tooltip_key(name: str) -> str:
    """Set a name apart from the keys that mean something else to the tooltip."""
    return f"{name}\u00a0" if name in ("title", "image", "epoch") else name


def hover_layers() -> list[Layer]:
    """Return a crosshair at the epoch nearest to the pointer, with all values, and dots where it meets the lines."""
    select = {"type": "point", "fields": ["epoch"], "nearest": True, "on": "pointerover", "clear": "pointerout"}
    # The nearest mark is found through an invisible cell around it, whose own datum is the mark.
    tooltip = {"value": {"expr": "(datum.datum || datum).says"}}
    opacity = {"condition": {"param": "hover", "empty": False, "value": 0.7}, "value": 0}
    crosshair = {
        "data": {"name": "hover"},
        "params": [{"name": "hover", "select": select}],
        "mark": {"type": "rule", "style": "crosshair", "clip": True},
        "encoding": {"color": None, "strokeOpacity": opacity, "tooltip": tooltip},
    }
    dots = {
        "transform": [{"filter": {"param": "hover", "empty": False}}],
        "mark": {"type": "point", "style": "dot", "clip": True},
        "encoding": {"y": quantitative("mean")},
    }
    return [crosshair, dots]


def end_rows(
    lines: Sequence[Line], metric: Metric, frame: tuple[float, float], whole: tuple[float, float], height: int
) -> Rows:
    """Return names with final values, and where they go without overlap, in the frame and in the whole range."""
    finals = [metric.scale * float(line.mean[-1]) for line in lines]
    placed = {}
    for key, (low, high) in {"focused": frame, "whole": whole}.items():
        inside = [min(max(value, low), high) for value in finals]
        pixel = (high - low) / height
        placed[key] = spread(inside, LABEL_HEIGHT * pixel, low + 6 * pixel, high - 6 * pixel)
    return [
        {"condition": line.name, "text": _end_text(line, metric)} | {k: short(v[i]) for k, v in placed.items()}
        for i, line in enumerate(lines)
    ]


def _end_text(line: Line, metric: Metric) -> str:
    name = line.name if len(line.name) <= 26 else f"{line.name[:25]}…"
    return f"{name} {metric.text(float(line.mean[-1]))}"


def end_layer() -> Layer:
    """Return the names at the lines' ends."""
    return {
        "data": {"name": "ends"},
        "transform": [
            {"filter": "labels && indexof(shown, datum.condition) >= 0"},
            {"calculate": "full ? datum.whole : datum.focused", "as": "at"},
        ],
        "mark": {"type": "text", "style": "label", "dx": 10},
        "encoding": {"x": {"value": "width"}, "y": quantitative("at"), "text": {"field": "text", "type": "nominal"}},
    }
