"""The layers that charts share: lines and bands, dots and whiskers, notes, what the pointer brings up.

Layers name styles and never colours (``look.chart_config`` has them). They use a name as data only, never inside an
expression or as a field: it may hold quotes, dots or brackets. ``"color": None`` draws in ink.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Layer = dict[str, Any]
Rows = list[dict[str, Any]]

ONLY_SHOWN: Layer = {"filter": "indexof(shown, datum.condition) >= 0"}


def quantitative(field: str) -> Layer:
    """Encode a field as a quantity."""
    return {"field": field, "type": "quantitative"}


def nominal(field: str) -> Layer:
    """Encode a field as a name."""
    return {"field": field, "type": "nominal"}


def short(x: float) -> float:
    """Keep five significant digits: a chart cannot show more, and the page stays small."""
    return float(f"{x:.5g}")


def page_parameters(names: Sequence[str], *, labels: bool = True) -> Rows:
    """Return what the page changes in place: which names are shown, the whole curve, names at the lines' ends."""
    return [
        {"name": "shown", "value": list(names)},
        {"name": "full", "value": False},
        {"name": "labels", "value": labels},
    ]


def colored(palette: Sequence[str], *, legend: Layer | None = None) -> Layer:
    """Colour by condition: the n-th name of the palette has the theme's n-th colour."""
    return nominal("condition") | {"scale": {"domain": list(palette), "range": "category"}, "legend": legend}


def haloed(layer: Layer) -> list[Layer]:
    """Return a text layer with a rim of paper behind it, so that it reads on top of lines and bands."""
    rim = layer["mark"] | {"style": [layer["mark"]["style"], "halo"]}
    return [layer | {"mark": rim}, layer]


def text(style: str, encoding: Layer, *, field: str = "text", **mark: Any) -> Layer:
    """Write a field in a style."""
    return {"mark": {"type": "text", "style": style, **mark}, "encoding": encoding | {"text": nominal(field)}}


def polyline(y: Layer, dashes: Layer) -> Layer:
    """Join points by a line."""
    return {"mark": {"type": "line", "style": "line", "clip": True}, "encoding": {"y": y, "strokeDash": dashes}}


def dots(y: Layer, **mark: Any) -> Layer:
    """Draw points."""
    return {"mark": {"type": "point", "style": "dot", "clip": True, **mark}, "encoding": {"y": y}}


def bounds(y: Layer, *, area: bool, lo: str = "lo", hi: str = "hi", **mark: Any) -> Layer:
    """Draw intervals: a band along a curve, or a whisker at each point."""
    kind = {"type": "area", "style": "band"} if area else {"type": "rule", "style": "whisker"}
    return {"mark": {**kind, "clip": True, **mark}, "encoding": {"y": y | {"field": lo}, "y2": {"field": hi}}}


def reference(encoding: Layer, values: Rows) -> Layer:
    """Draw thin dashed lines in ink, at a height or at a place."""
    return {"data": {"values": values}, "mark": {"type": "rule", "style": "reference"}, "encoding": encoding}


def hover(y: Layer) -> list[Layer]:
    """Return a crosshair at the place nearest to the pointer, with all values, and dots where it meets the lines."""
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
    return [crosshair, {"transform": [{"filter": {"param": "hover", "empty": False}}]} | dots(y)]


def ends(y: Layer) -> Layer:
    """Return the names at the lines' ends."""
    transform = [
        {"filter": "labels && indexof(shown, datum.condition) >= 0"},
        {"calculate": "full ? datum.whole : datum.focused", "as": "at"},
    ]
    name = text("label", {"x": {"value": "width"}, "y": y | {"field": "at"}}, dx=10)
    return {"data": {"name": "ends"}, "transform": transform, **name}


def inked(layer: Layer) -> Layer:
    """Draw a layer in ink, and not in the colour of its condition."""
    return layer | {"encoding": layer["encoding"] | {"color": None}}


def finished(layers: Sequence[Layer], color: Layer) -> list[Layer]:
    """Give each layer the colour of its condition, unless it is drawn in ink."""
    return [layer | {"encoding": _without_ink({"color": color} | layer["encoding"])} for layer in layers]


def _without_ink(encoding: Layer) -> Layer:
    return {key: value for key, value in encoding.items() if value is not None}
