"""A quantity by class pair as coloured cells, classes that behave alike side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import pdist

from overmix._typing import Float
from overmix.report.charts import Chart
from overmix.report.charts.chart import specification
from overmix.report.charts.layers import Layer, nominal, short, text
from overmix.report.numbers import NONE, percent
from overmix.report.table import Table

_MOST_WRITTEN = 12  # classes up to which a cell has room for its number


def similar_order(matrix: Float[np.ndarray, "classes classes"]) -> list[int]:
    """Return an order of classes in which those with similar rows stand side by side.

    Example:
        >>> similar_order(np.array([[0.0, 9.0, 0.0], [9.0, 0.0, 9.0], [0.0, 9.0, 0.0]]))[1] in (0, 2)
        True
    """
    rows = np.where(np.isfinite(matrix), matrix, np.nanmean(matrix) if np.isfinite(matrix).any() else 0.0).copy()
    if len(rows) < 3:
        return list(range(len(rows)))
    np.fill_diagonal(rows, rows.mean())  # a class with itself is always low and says nothing of likeness
    distances = pdist(rows)
    tree = optimal_leaf_ordering(linkage(distances, method="average"), distances)
    return [int(leaf) for leaf in leaves_list(tree)]


def heat_map(
    name: str,
    title: str,
    caption: str,
    note: str,
    classes: Sequence[str],
    values: Float[np.ndarray, "classes classes"],
    tooltips: Sequence[Sequence[str]],
    *,
    measure: str,
    subtitle: str,
    notes: Sequence[Sequence[str]] | None = None,
) -> Chart:
    """Draw shares by class pair; cells without a value stay empty.

    Args:
        name: stem of the figure's files, and id on the page.
        title: heading on the page.
        caption: what is drawn.
        note: where the intervals come from.
        classes: names, in the order of rows and columns.
        values: shares from 0 to 1, symmetric.
        tooltips: what the pointer brings up, per cell.
        measure: what the colour means, and the figure's title.
        subtitle: under that title.
        notes: a second line of each cell.
    """
    shown = np.isfinite(values)
    top = float(values[shown].max()) if shown.any() else 1.0
    # The position and not the name encodes: two classes may have the same name.
    keys = [f"{k:03d} {label}" for k, label in enumerate(classes)]
    rows = []
    for i, j in np.argwhere(shown):
        share = float(values[i, j])
        row = {"row": keys[i], "column": keys[j], "value": short(100 * share), "text": f"{100 * share:.0f}"}
        row |= {"says": {f"{classes[i]} with {classes[j]}": percent(share), "95 % interval": tooltips[i][j]}}
        if notes is not None and notes[i][j]:
            row["note"] = notes[i][j]
        rows.append(row)
    cell = 56 if len(classes) <= _MOST_WRITTEN else max(6, 620 // len(classes))
    axis = {"labelExpr": "substring(datum.label, 4)", "title": None, "domain": False, "ticks": False, "grid": False}
    color = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [0, short(100 * max(top, 1e-6))], "range": "heatmap", "nice": False},
        "legend": {"title": None, "type": "gradient", "format": "~f", "gradientLength": 160, "tickCount": 4},
    }
    layers: list[Layer] = [
        {"mark": {"type": "rect"}, "encoding": {"color": color, "tooltip": {"value": {"expr": "datum.says"}}}}
    ]
    if len(classes) <= _MOST_WRITTEN:
        layers += _written(100 * top, notes is not None)
    alt = _describe(title, classes, values)
    spec = specification(
        alt,
        f"{measure}, %",
        (cell * len(classes), max(60, (cell if cell < 56 else 40) * len(classes))),
        subtitle=subtitle,
        data={"values": rows},
        encoding={
            "x": nominal("column") | {"sort": keys, "axis": axis | {"labelAngle": -35}},
            "y": nominal("row") | {"sort": keys, "axis": axis},
        },
        layer=layers,
    )
    shares = [
        [label, *(percent(float(v)) if np.isfinite(v) else NONE for v in row)]
        for label, row in zip(classes, values, strict=True)
    ]
    return Chart(name, title, caption, note, alt, spec, Table(title, ["Class", *classes], shares))


def _written(top: float, with_notes: bool) -> list[Layer]:
    """Return the numbers, in ink on light cells and in paper on deep ones, and the notes under them."""
    layers = []
    for style, test in (("note", "<"), ("inverse", ">=")):
        where = [{"filter": f"datum.value {test} {0.55 * top:g}"}]
        layers.append({"transform": where, **text(style, {}, align="center", dy=-6 if with_notes else 0)})
        if with_notes:
            below = text(style, {}, field="note", align="center", dy=8, fontSize=9, limit=54)
            layers.append({"transform": [*where, {"filter": "isValid(datum.note)"}], **below})
    return layers


def _describe(title: str, classes: Sequence[str], values: np.ndarray) -> str:
    pairs = [(float(values[i, j]), i, j) for i, j in np.argwhere(np.isfinite(values)) if i < j]
    if not pairs:
        return f"{title}."
    (least, a, b), (most, c, d) = min(pairs), max(pairs)
    return (
        f"{title}, by pair of different classes: from {percent(least)} for {classes[a]} with {classes[b]} to "
        f"{percent(most)} for {classes[c]} with {classes[d]}."
    )
