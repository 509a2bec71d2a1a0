"""How a report looks: one set of colours for the page and its charts, in light and in dark.

ERM is the reference of every comparison and therefore neutral grey and dashed; methods get the hues. The six colours
keep a CIE76 distance of at least 15 from each other under normal vision and simulated protanopia, deuteranopia and
tritanopia, and a contrast of at least 4.5 to the paper, so that they may colour text too. The tests measure both.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"


@dataclass(frozen=True)
class Look:
    """Colours of one theme; ``series`` starts with the neutral one of ERM, ``ramp`` goes from nothing to much."""

    paper: str
    panel: str
    ink: str
    muted: str
    hairline: str
    focus: str
    series: tuple[str, ...]
    ramp: tuple[str, ...]


LIGHT = Look(
    paper="#ffffff",
    panel="#f5f6f7",
    ink="#1a1f25",
    muted="#5a636d",
    hairline="#dfe3e7",
    focus="#1f6fd0",
    series=("#646c75", "#c94a12", "#1f6fd0", "#0f4a40", "#8a1a86", "#5c4210"),
    ramp=("#f7f5f1", "#f6d9b8", "#ee9a5f", "#c94a12", "#6d1f08"),
)
DARK = Look(
    paper="#14171c",
    panel="#1d2127",
    ink="#e9ecef",
    muted="#a3acb6",
    hairline="#30363d",
    focus="#8cc8ff",
    series=("#8f98a2", "#f0703f", "#8cc8ff", "#35d69a", "#c45ac8", "#f2d54a"),
    ramp=("#1d2127", "#5a2a17", "#a8431a", "#f0703f", "#ffd9a8"),
)


@dataclass(frozen=True)
class Stroke:
    """How a condition is drawn: the index of its colour in ``Look.series``, and its dash pattern in pixels."""

    color: int
    dash: tuple[int, ...]


_DASHES: tuple[tuple[int, ...], ...] = ((), (5, 3), (2, 2), (9, 3, 2, 3), (14, 4))
_PREFERRED = {"erm": (0,), "mixup": (1, 3, 4, 5, 2), "switched": (2, 4, 3, 5, 1)}
_OTHER = (3, 4, 5, 2, 1)


def assign_strokes(roles: Iterable[str]) -> list[Stroke]:
    """Give each condition a colour by its role, and a new dash pattern once colours repeat.

    Example:
        >>> [(s.color, s.dash) for s in assign_strokes(["erm", "mixup", "switched", "mixup"])]
        [(0, (5, 3)), (1, ()), (2, ()), (3, ())]
    """
    used: Counter[int] = Counter()
    strokes = []
    for role in roles:
        color = min(_PREFERRED.get(role, _OTHER), key=lambda c: used[c])
        turn = used[color] + (1 if color == 0 else 0)
        strokes.append(Stroke(color, _DASHES[turn % len(_DASHES)]))
        used[color] += 1
    return strokes


def chart_config(look: Look, strokes: Sequence[Stroke]) -> dict[str, Any]:
    """Return the Vega-Lite configuration of one theme.

    Charts name styles (``"band"``, ``"note"``, ...) and never colours, so that the same specification serves the light
    figure files, the light page and the dark page.
    """
    text = {"font": FONT, "fontSize": 12}
    return {
        "font": FONT,
        "aria": False,  # the page describes each chart as a whole; sixty labelled dots help nobody
        "background": look.paper,
        "customFormatTypes": False,
        "range": {
            "category": [look.series[s.color] for s in strokes] or list(look.series),
            "heatmap": list(look.ramp),
        },
        "view": {"stroke": None},
        "title": {
            "anchor": "start",
            "frame": "group",
            "fontSize": 14,
            "fontWeight": 600,
            "color": look.ink,
            "subtitleColor": look.muted,
            "subtitleFontSize": 12,
            "subtitlePadding": 4,
            "offset": 12,
        },
        "axis": {
            "labelColor": look.muted,
            "labelFontSize": 11,
            "titleColor": look.muted,
            "titleFontSize": 11,
            "titleFontWeight": 400,
            "gridColor": look.hairline,
            "gridWidth": 1,
            "tickColor": look.muted,
            "domainColor": look.muted,
        },
        "axisX": {"grid": False, "titlePadding": 8, "labelFlush": False, "tickSize": 5},
        "axisY": {"domain": False, "ticks": False, "labelPadding": 8, "title": None},
        "legend": {"labelColor": look.ink, "labelFontSize": 11, "symbolType": "stroke", "symbolStrokeWidth": 2.5},
        "line": {"color": look.ink},
        "point": {"color": look.ink},
        "rule": {"color": look.ink},
        "text": {"color": look.ink},
        "style": {
            "line": {"strokeWidth": 2, "strokeCap": "butt", "strokeJoin": "round"},
            "band": {"fillOpacity": 0.16, "strokeWidth": 0},
            "whisker": {"strokeWidth": 1.5, "strokeOpacity": 0.8},
            "dot": {"size": 46, "opacity": 1, "filled": True},
            "ring": {"size": 46, "opacity": 1, "filled": True, "fill": look.paper, "strokeWidth": 2},
            "leader": {"strokeWidth": 1, "strokeDash": [2, 3]},
            "bar": {"strokeWidth": 6, "strokeOpacity": 0.28},
            "reference": {"strokeWidth": 1, "strokeDash": [3, 3]},
            "crosshair": {"strokeWidth": 1},
            "label": {**text, "fontWeight": 600, "align": "left", "baseline": "middle"},
            "note": {**text, "fontSize": 11, "baseline": "middle"},
            "inverse": {**text, "fontSize": 11, "baseline": "middle", "color": look.paper},
            "halo": {"stroke": look.paper, "strokeWidth": 4, "strokeJoin": "round"},
            "plain": {**text, "fontSize": 11, "fillOpacity": 0.8, "baseline": "middle"},
        },
    }


def css_variables(look: Look) -> str:
    """Return a theme as CSS custom properties (``--ink: #…;``), one per colour."""
    return " ".join(f"--{name}: {color};" for name, color in _named(look).items())


def in_page_colors(svg: str) -> str:
    """Return a picture of the light theme as part of a page: its colours become the page's, dark where that is dark.

    A heat map stays as it is: its colours lie between those of a ramp, and its text is written for them.

    Example:
        >>> in_page_colors('<path stroke="#1a1f25"/>'), in_page_colors('<path fill="rgb(1, 2, 3)"/>')
        ('<path stroke="var(--ink)"/>', '<path fill="rgb(1, 2, 3)"/>')
    """
    if '"rgb(' in svg:
        return svg
    names = {color: name for name, color in _named(LIGHT).items()}
    return re.sub(
        r'="(#[0-9a-f]{6})"', lambda color: f'="var(--{names[color[1]]})"' if color[1] in names else color[0], svg
    )


def _named(look: Look) -> dict[str, str]:
    named = {k: getattr(look, k) for k in ("paper", "panel", "ink", "muted", "hairline", "focus")}
    return named | {f"series-{i}": color for i, color in enumerate(look.series)}
