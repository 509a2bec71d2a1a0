"""The loss on a plane through a solution, as coloured cells."""

from __future__ import annotations

import numpy as np

from overmix._typing import Float
from overmix.report.charts import Chart
from overmix.report.charts.chart import specification
from overmix.report.charts.layers import short
from overmix.report.numbers import NONE, decimal
from overmix.report.table import Table

_SIDE = 320
_IN_TABLE = 5


def surface_chart(
    name: str,
    title: str,
    steps: Float[np.ndarray, " steps"],
    loss: Float[np.ndarray, "steps steps"],
    *,
    top: float,
    subtitle: str,
) -> Chart:
    """Draw a loss on a square grid of steps along two directions.

    Cells whose loss is not finite stay empty. The colours follow the square root, so that the valley's floor is seen
    beside its walls.

    Args:
        name: stem of the figure's files, and id on the page.
        title: heading on the page.
        steps: evenly spaced, ascending, with 0 in the middle.
        loss: less that of the solution, one row per step along the first direction.
        top: where the colours end; give surfaces that are compared the same.
        subtitle: under the figure's title.
    """
    half = float(steps[1] - steps[0]) / 2
    rows = [
        {
            "x": short(steps[i] - half),
            "x2": short(steps[i] + half),
            "y": short(steps[j] - half),
            "y2": short(steps[j] + half),
            "loss": short(loss[i, j]),
            "says": {"Steps": f"{steps[i]:g}, {steps[j]:g}", "Loss above the solution": decimal(float(loss[i, j]))},
        }
        for i, j in np.argwhere(np.isfinite(loss))
    ]
    axis = {"format": "~f", "grid": False, "tickCount": 5}
    within = {"domain": [short(steps[0] - half), short(steps[-1] + half)], "nice": False, "zero": False}
    encoding = {
        "x": {"field": "x", "type": "quantitative", "scale": within, "axis": axis, "title": "step along direction 1"},
        "x2": {"field": "x2"},
        "y": {"field": "y", "type": "quantitative", "scale": within, "axis": axis, "title": "step along direction 2"},
        "y2": {"field": "y2"},
        "color": {
            "field": "loss",
            "type": "quantitative",
            "scale": {"type": "sqrt", "domain": [0, top], "range": "heatmap", "clamp": True, "nice": False},
            "legend": {"title": None, "type": "gradient", "gradientLength": _SIDE - 40, "format": "~g", "tickCount": 5},
        },
        "tooltip": {"value": {"expr": "datum.says"}},
    }
    alt = _describe(title, steps, loss)
    spec = specification(
        alt,
        title,
        (_SIDE, _SIDE),
        subtitle=subtitle,
        data={"values": rows},
        mark={"type": "rect"},
        encoding=encoding,
    )
    caption = "The loss on the plane of two random filter-normalised directions; the solution is in the middle."
    note = "One seed, without an interval. Early and late have the same colours, on a square-root scale."
    return Chart(name, title, caption, note, alt, spec, _table(title, steps, loss))


def _table(title: str, steps: np.ndarray, loss: np.ndarray) -> Table:
    """Return the numbers on a coarser grid, which has the edges and the middle."""
    at = np.linspace(0, len(steps) - 1, min(_IN_TABLE, len(steps))).round().astype(int)
    rows = [
        [decimal(float(steps[i]), 1), *(decimal(float(loss[i, j])) if np.isfinite(loss[i, j]) else NONE for j in at)]
        for i in at
    ]
    return Table(title, ["Direction 1 \\ 2", *(decimal(float(steps[j]), 1) for j in at)], rows)


def _describe(title: str, steps: np.ndarray, loss: np.ndarray) -> str:
    distance = np.hypot(*np.meshgrid(steps, steps, indexing="ij"))
    width = float(steps[1] - steps[0]) / 2
    said = []
    for radius in (float(steps[-1]) / 2, float(steps[-1])):
        ring = loss[np.isfinite(loss) & (np.abs(distance - radius) <= width)]
        if ring.size:
            said.append(f"{decimal(float(ring.mean()), 2)} at distance {radius:g}")
    return f"{title}, on a plane of two random directions: 0 in the middle, on average {', '.join(said)}."
