"""The picture of the benchmark: regret against cost, a frame for each split, a dot with its name for each policy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from overmix.report.charts.frame import spread
from overmix.report.charts.layers import Layer, haloed
from overmix.report.figures import to_png, to_svg
from overmix.report.look import LIGHT, chart_config
from overmix.report.numbers import percent
from tools.png import packed
from tools.switch_benchmark.findings import REGRET_GOAL
from tools.switch_benchmark.names import OURS, SPLITS

WIDTH, HEIGHT = 900, 300
_GAP = 15  # pixels between names
_CHEAP = 1.15
"""Policies that cost less have their names on the left."""
_ROOM = 0.62  # runs' worth of space for the names on either side
_GREY, _ORANGE, _BLUE = LIGHT.series[:3]
LEGEND = [
    f"orange: AutoSwitch · blue: lowest probe · hollow: no validation set · dashed: the goal, {percent(REGRET_GOAL)}",
    "vertical: mean regret over trainings, in per cent of the oracle's error (square-root scale)",
]


def picture(result: Mapping[str, Any]) -> bytes:
    """Return the picture as PNG."""
    return packed(to_png(to_svg(chart(result)), scale=1.4))


def chart(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Vega-Lite specification of the picture."""
    by_split = {split: [row for row in result["policies"] if row["split"] == split] for split in SPLITS}
    dearest = max(row["cost"] for row in result["policies"])
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": "Mean regret of every policy against its cost in runs, one frame for each split of the data.",
        "title": {"text": "Regret against cost", "subtitle": LEGEND, "anchor": "start"},
        "padding": 10,
        "spacing": 40,
        "vconcat": [frame(SPLITS[split].title, rows, dearest) for split, rows in by_split.items() if rows],
        "config": chart_config(LIGHT, []),
    }


def frame(title: str, rows: Sequence[Mapping[str, Any]], dearest: float) -> dict[str, Any]:
    """Return one frame; names stand beside the dots, those of cheap policies on the left, and lines lead to them.

    Args:
        title: above it.
        rows: one per policy, with its mean ``regret`` and ``cost``.
        dearest: the largest cost of all frames, which have one horizontal axis.
    """
    top = 1.08 * 100 * max(row["regret"] for row in rows)
    dots = _dots(rows, top, dearest)
    x = {
        "field": "cost",
        "type": "quantitative",
        "scale": {"domain": [1 - _ROOM, dearest + _ROOM], "nice": False, "zero": False},
        "axis": {"values": [1, 1.2, 1.4, 1.6, 1.8, 2.0], "format": ".1f", "title": "cost, runs", "grid": False},
    }
    y = {
        "field": "regret",
        "type": "quantitative",
        "scale": {"type": "sqrt", "domain": [min(0.0, *(dot["regret"] for dot in dots)), top], "nice": False},
        "axis": {"values": [0, 1, 2, 5, 10, 20, 50], "title": None},
    }
    color = {"field": "color", "type": "nominal", "scale": None, "legend": None}
    own = {"data": {"values": dots}}
    leader = {"x": x, "y": y, "x2": {"field": "name_x"}, "y2": {"field": "name_y"}, "color": color}
    ring = {"condition": {"test": "datum.hollow", "value": LIGHT.paper}, "field": "color", "scale": None}
    layers = [
        {
            "data": {"values": [{"regret": 100 * REGRET_GOAL}]},
            "mark": {"type": "rule", "style": "reference", "color": LIGHT.muted, "opacity": 0.7},
            "encoding": {"y": y},
        },
        {**own, "mark": {"type": "rule", "strokeWidth": 0.7, "opacity": 0.45}, "encoding": leader},
        {
            **own,
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "strokeWidth": 1.6},
            "encoding": {"x": x, "y": y, "fill": ring, "stroke": color},
        },
        *_names(dots, x, y, color),
    ]
    return {"title": {"text": title, "fontSize": 12}, "width": WIDTH, "height": HEIGHT, "layer": layers}


def _names(dots: list[dict[str, Any]], x: Layer, y: Layer, color: Layer) -> list[Layer]:
    encoding = {
        "x": {**x, "field": "name_x"},
        "y": {**y, "field": "name_y"},
        "text": {"field": "says", "type": "nominal"},
        "color": color,
    }
    return [
        layer
        for side, align, dx in (("left", "right", -4), ("right", "left", 4))
        for layer in haloed(
            {
                "data": {"values": [dot for dot in dots if dot["side"] == side]},
                "mark": {"type": "text", "style": "note", "align": align, "dx": dx},
                "encoding": encoding,
            }
        )
    ]


def _dots(rows: Sequence[Mapping[str, Any]], top: float, dearest: float) -> list[dict[str, Any]]:
    """Return a dot per policy, with the place of its name."""
    dots = []
    for side, edge in (("left", 0.96), ("right", dearest + 0.06)):
        own = [row for row in rows if (row["cost"] < _CHEAP) == (side == "left")]
        places = spread([_pixel(100 * row["regret"], top) for row in own], _GAP, 0, HEIGHT)
        dots += [
            {
                "policy": row["policy"],
                "says": f"{row['policy']}  {100 * row['regret']:.1f}",
                "cost": row["cost"],
                "regret": 100 * row["regret"],
                "color": _ORANGE if row["policy"] in OURS else _BLUE if row["policy"] == "lowest probe" else _GREY,
                "hollow": row["policy"].startswith("no validation set"),
                "side": side,
                "name_x": edge,
                "name_y": top * ((HEIGHT - place) / HEIGHT) ** 2,
            }
            for row, place in zip(own, places, strict=True)
        ]
    return dots


def _pixel(regret: float, top: float) -> float:
    """Return the pixel, from above, at which a regret stands."""
    return HEIGHT * (1 - math.sqrt(max(regret, 0.0) / top))
