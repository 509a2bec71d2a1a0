"""A metric against epoch, one line and band per condition: the form that most charts of a report share.

The page changes a chart in few places only, all prepared here: the parameters ``shown`` (which conditions), ``full``
(the whole curve, or the part that matters) and ``labels`` (names at the lines' ends); ``usermeta.overmix.x`` with the
horizontal encoding for each scale; width, height and configuration;
``usermeta.overmix.subtitle``, since a page need not repeat the study's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from overmix.report.charts.chart import Chart
from overmix.report.charts.frame import entry, focus, log_ticks
from overmix.report.charts.layers import (
    MAX_BANDS,
    ONLY_SHOWN,
    Layer,
    curve_layers,
    curve_rows,
    end_layer,
    end_rows,
    hover_layers,
    hover_rows,
    quantitative,
    short,
)
from overmix.report.charts.lines import EPOCH, Axis, Line, describe, read_lines, tabulate
from overmix.report.metrics import Metric
from overmix.report.reading import Report

MAX_END_LABELS = 8  # more conditions are named by a legend instead


def curve_chart(
    report: Report,
    metric: Metric,
    *,
    name: str,
    title: str,
    about: str,
    size: tuple[int, int] = (760, 380),
    frame: Literal["focus", "whole"] = "focus",
    reach: Sequence[float] = (),
    extra: Callable[[Sequence[Line]], list[Layer]] | None = None,
    axis: Axis = EPOCH,
) -> Chart | None:
    """Draw a metric against epoch, or against another axis.

    Args:
        report: the study.
        metric: what to draw.
        name: stem of the figure's files, and id on the page.
        title: heading on the page.
        about: first sentences of the caption.
        size: width and height of the frame in pixels, in the figure files.
        frame: ``"focus"`` leaves out the descent from the untrained network, ``"whole"`` shows all.
        reach: values, in the metric's unit, that the frame must hold.
        extra: makes further layers from the lines.
        axis: what to draw it against.

    Returns:
        The chart, or None if the study has no value of this metric.
    """
    lines = read_lines(report, metric, axis)
    if not lines:
        return None
    whole = _whole(lines, metric, reach)
    focused = _focused(lines, metric, reach) if frame == "focus" else whole
    begin = 1.0 if axis is EPOCH else min(float(line.epoch[0]) for line in lines)
    last = float(report.epochs) if axis is EPOCH else max(float(line.epoch[-1]) for line in lines)
    first = entry([(line.epoch, metric.scale * line.mean) for line in lines], focused[1], begin)
    layers = [*curve_layers(report, lines), *(extra(lines) if extra else []), *hover_layers()]
    datasets = {"curves": curve_rows(lines, metric), "hover": hover_rows(lines, metric, axis)}
    named = len(report.conditions) <= MAX_END_LABELS
    if named:
        datasets["ends"] = end_rows(lines, metric, focused, whole, size[1])
        layers.append(end_layer())
    color, y = _color(report, lines, legend=not named), _vertical(focused, whole)
    scales = _horizontal(begin, last, first, axis)
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": describe(lines, metric, axis),
        "title": {"text": metric.heading, "subtitle": f"{report.name} · {_made_of(lines)}"},
        "width": size[0],
        "height": size[1],
        "padding": 10,
        "params": [
            {"name": "shown", "value": [line.name for line in lines]},
            {"name": "full", "value": False},
            {"name": "labels", "value": named},
        ],
        "datasets": datasets,
        "data": {"name": "curves"},
        "transform": [ONLY_SHOWN],
        "encoding": {"x": scales["log"]},
        "layer": [_finished(layer, color, y) for layer in layers],
        "usermeta": {"overmix": {"x": scales, "subtitle": _made_of(lines)}},
    }
    caption = f"{about} {_beyond(lines, metric, focused)}".strip()
    note = _band_words(report, metric, lines)
    return Chart(name, title, caption, note, describe(lines, metric, axis), spec, tabulate(lines, metric, axis))


def _whole(lines: Sequence[Line], metric: Metric, reach: Sequence[float]) -> tuple[float, float]:
    top = max(*(float(line.hi.max()) for line in lines), *reach, 1e-9)
    return 0.0, 1.04 * metric.scale * top


def _focused(lines: Sequence[Line], metric: Metric, reach: Sequence[float]) -> tuple[float, float]:
    low, high = focus([(line.epoch, line.mean, line.lo, line.hi) for line in lines])
    return metric.scale * min([low, *reach]), metric.scale * max([high, *reach])


def _vertical(focused: tuple[float, float], whole: tuple[float, float]) -> Layer:
    """Return a vertical range that the parameter ``full`` widens to all of the data."""
    bounds = [{"expr": f"full ? {short(w)} : {short(f)}"} for w, f in zip(whole, focused, strict=True)]
    return {"scale": {"domain": bounds, "nice": False, "zero": False}, "axis": {"tickCount": 6}}


def _finished(layer: Layer, color: Layer, y: Layer) -> Layer:
    """Give a layer what all share: the vertical range, and its condition's colour unless it is drawn in ink."""
    encoding = {"color": color} | layer["encoding"]
    if encoding["color"] is None:
        del encoding["color"]
    if "field" in encoding.get("y", {}):
        encoding["y"] = encoding["y"] | y
    return layer | {"encoding": encoding}


def _horizontal(begin: float, last: float, first: float, axis: Axis) -> dict[str, Layer]:
    """Return the horizontal encoding for a logarithmic and for a linear scale."""
    start = {"expr": f"full ? {begin:g} : {first:g}"}
    log: Layer = {"domain": [start, last] if last > begin else [0.5 * begin, 2 * begin]}
    linear: Layer = {"domain": [0, max(last, 2 * begin)]}
    marks = {"format": ",d" if axis.digits is None else ",~g"} | ({"values": [begin]} if last == begin else {})
    return {
        "log": {
            **quantitative("epoch"),
            "scale": {"type": "log", "nice": False, **log},
            "axis": {**marks, "values": log_ticks(begin, last), "title": f"{axis.name} (log scale)"},
        },
        "linear": {
            **quantitative("epoch"),
            "scale": {"type": "linear", "nice": False, **linear},
            "axis": {"tickCount": 6, **marks, "title": axis.name},
        },
    }


def _color(report: Report, lines: Sequence[Line], *, legend: bool) -> dict[str, Any]:
    # The domain holds every condition, so that a colour means the same in all charts of a report.
    shown = {"orient": "bottom", "columns": 3, "title": None, "values": [line.name for line in lines]}
    scale = {"domain": [c.name for c in report.conditions], "range": "category"}
    return {"field": "condition", "type": "nominal", "scale": scale, "legend": shown if legend else None}


def _banded(lines: Sequence[Line]) -> bool:
    return len(lines) <= MAX_BANDS and any(line.has_band for line in lines)


def _made_of(lines: Sequence[Line]) -> str:
    sizes = sorted({line.condition.n_seeds - line.condition.n_diverged for line in lines})
    if sizes[-1] <= 1:
        return "one seed"
    n = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"
    return f"mean of {n} seeds" + (", 95 % band" if _banded(lines) else "")


def _beyond(lines: Sequence[Line], metric: Metric, frame: tuple[float, float]) -> str:
    """Say what the frame leaves out."""
    above = [line.name for line in lines if metric.scale * float(line.mean[-1]) > frame[1]]
    if above:
        return f"Above the frame: {', '.join(above)}; “whole curve” shows all."
    if any(metric.scale * float(line.mean.max()) > frame[1] for line in lines):
        return "Early epochs leave the frame; “whole curve” shows them."
    return ""


def _band_words(report: Report, metric: Metric, lines: Sequence[Line]) -> str:
    if not any(line.has_band for line in lines):
        return "One seed has no interval, so no band is drawn."
    if len(lines) > MAX_BANDS:
        return f"Line: mean over seeds. Bands are left out where there are more than {MAX_BANDS}; the tables have them."
    if metric.key in report.own_bands:
        return "Line: mean over seeds. Band: 95 % interval from a bootstrap over seeds and test samples together."
    return "Line: mean over seeds. Band: 95 % t-interval of that mean over seeds, on this one test set."
