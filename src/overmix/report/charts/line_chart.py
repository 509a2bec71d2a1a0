"""The one line chart: lines with bands over a common axis, named at their ends, with all values under the pointer.

A study's curves are drawn with it (:mod:`overmix.report.charts.curve`), and every curve of an explanation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from overmix.report.charts.axis import Axis
from overmix.report.charts.chart import Chart, specification
from overmix.report.charts.layers import (
    ONLY_SHOWN,
    Layer,
    bounds,
    colored,
    dots,
    ends,
    finished,
    haloed,
    hover,
    nominal,
    page_parameters,
    polyline,
    quantitative,
    reference,
    short,
    text,
)
from overmix.report.charts.series import PLAIN_LOOK, Series, Values, describe, end_rows, hover_rows, rows_of, tabulate

MAX_BANDS = 8  # more bands on top of each other show nothing


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
    series: Sequence[Series],
    *,
    x_axis: Axis,
    y_axis: Axis,
    values: Values = PLAIN_LOOK,
    heading: str = "",
    subtitle: str = "",
    size: tuple[int, int] = (700, 360),
    palette: Sequence[str] = (),
    legend: Layer | None = None,
    extra: Sequence[Layer] = (),
    marks: Sequence[Mark] = (),
    points: bool = False,
    joined: bool = True,
    last_look: bool = False,
    first: Sequence[str] = (),
    page: dict[str, Any] | None = None,
) -> Chart:
    """Draw lines over a common horizontal axis; points without a place on an axis are left out.

    Args:
        name: stem of the figure's files, and id on the page.
        title: heading on the page.
        caption: what is drawn.
        note: where the bands come from.
        series: the lines.
        x_axis: the horizontal axis.
        y_axis: the vertical axis.
        values: how values are drawn and written.
        heading: the figure's own title; that of the vertical axis if empty.
        subtitle: under it.
        size: width and height of the frame in pixels, in the figure files.
        palette: names in the order of the theme's colours; those of the lines if empty.
        legend: names the lines, which else have their names at their ends.
        extra: further layers, over the lines.
        marks: vertical lines.
        points: whether the points are drawn.
        joined: whether they are joined.
        last_look: whether the table shows lines that are looked at in different places as at their last look.
        first: names of the lines that are shown at first, with their bands and names; all if empty.
        page: what the page's script needs to know, see :func:`~overmix.report.charts.chart.specification`.
    """
    x_axis, y_axis = replace(x_axis, domain=_across(series, x_axis)), replace(y_axis, domain=_upwards(series, y_axis))
    y, named = y_axis.vertical(), joined and legend is None
    names = [line.name for line in series]
    begin = [line for line in series if line.name in first] or series
    datasets = {"curves": rows_of(series, x_axis, y_axis, values), "hover": hover_rows(series, x_axis, values)}
    over = [*extra, *(part for number, mark in enumerate(marks) for part in _vertical(mark, number))]
    layers = [
        *_lines(series, begin, y, legend, points=points, joined=joined),
        *(_on(layer, y) for layer in over),
        *hover(y),
    ]
    if named:
        datasets["ends"] = end_rows(begin, y_axis, values, size[1])
        layers.append(ends(y))
    # The theme begins with the neutral colour of a reference: without one, a name that no line has takes it.
    palette = palette or (names if series[0].dash else ["\u200b", *names])
    about = f"{y_axis.name} against {x_axis.name}."
    alt = describe(about if title.startswith(y_axis.name) else f"{title}: {about}", series, x_axis, values)
    spec = specification(
        alt,
        heading or y_axis.title,
        size,
        subtitle=subtitle,
        page=page,
        params=page_parameters([line.name for line in begin], labels=named),
        datasets=datasets,
        data={"name": "curves"},
        transform=[ONLY_SHOWN],
        encoding={"x": x_axis.horizontal()},
        layer=finished(layers, colored(palette, legend=legend)),
    )
    return Chart(name, title, caption, note, alt, spec, tabulate(title, series, x_axis, values, last_look=last_look))


def _lines(
    series: Sequence[Series],
    begin: Sequence[Series],
    y: Layer,
    legend: Layer | None,
    *,
    points: bool,
    joined: bool,
) -> list[Layer]:
    """Return bands, those of the lines that are shown at first, and lines; whiskers where there is a single point."""
    several = joined and max(len(line.x) for line in series) > 1
    layers: list[Layer] = []
    if any(line.has_band for line in begin) and len(begin) <= MAX_BANDS:
        # Two bands on top of each other have a third colour: where twins share their path, one band is enough.
        single = {"filter": "isValid(datum.lo) && (!isValid(datum.twin) || indexof(shown, datum.twin) < 0)"}
        of_these = {"filter": {"field": "condition", "oneOf": [line.name for line in begin]}}
        chosen = [single] if len(begin) == len(series) else [of_these, single]
        layers.append({"transform": chosen, **bounds(y, area=several)})
    if several:
        scale = {"domain": [line.name for line in series], "range": [list(line.dash) or [1, 0] for line in series]}
        layers.append(polyline(y, nominal("condition") | {"scale": scale, "legend": legend}))
    return [*layers, dots(y)] if points else layers


def _on(layer: Layer, y: Layer) -> Layer:
    """Put a layer on the chart's vertical axis, if it stands on one."""
    stands = layer["encoding"].get("y", {})
    return layer | {"encoding": layer["encoding"] | {"y": y | stands}} if "field" in stands else layer


def _across(series: Sequence[Series], axis: Axis) -> tuple[float, float]:
    """Return the ends of the horizontal axis: its own, or those of the data."""
    places = np.concatenate([line.x for line in series])
    places = places[places > 0] if axis.log else places
    return axis.domain or (short(float(places.min())), short(float(places.max())))


def _upwards(series: Sequence[Series], axis: Axis) -> tuple[float, float]:
    """Return the ends of the vertical axis: its own, or those of the data with some room."""
    if axis.domain:
        return short(axis.domain[0]), short(axis.domain[1])
    parts = [part for line in series for part in (line.mean, line.lo, line.hi) if part is not None]
    values = np.concatenate(parts)
    values = values[np.isfinite(values) & ((values > 0) if axis.log else True)]
    if len(values) == 0:
        return 0.1, 1.0
    low, high = float(values.min()), float(values.max())
    if axis.log:
        return short(max(low, 1e-12) / 1.3), short(1.3 * max(high, 1e-12))
    room = 0.06 * max(high - low, 1e-9)
    return short(0.0 if low >= 0 else low - room), short(high + room)


def _vertical(mark: Mark, number: int) -> list[Layer]:
    """Draw a mark, its note a line below that of the one before."""
    values, x = [{"epoch": short(mark.x), "text": mark.text}], quantitative("epoch")
    note = text("plain", {"x": x, "y": {"value": 8 + 15 * number}, "color": None}, align="left", dx=4)
    return [reference({"x": x, "color": None}, values), *haloed({"data": {"values": values}, **note})]
