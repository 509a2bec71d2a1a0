"""Final error against the epoch at which Mixup was switched off."""

from __future__ import annotations

from statistics import median
from typing import Any

from overmix.report.charts.chart import Chart
from overmix.report.charts.frame import log_ticks
from overmix.report.charts.layers import ONLY_SHOWN, Layer, quantitative
from overmix.report.numbers import count, percent, percent_range
from overmix.report.reading import Choice, Condition, Estimate, Report
from overmix.report.search import BEST, choice_range
from overmix.study.analyse.choices import ENDS, MIN_SWITCHES

_LOG_TITLE = "switch epoch (log scale)"
_ROW = 17  # pixels between the rows of choices


def sweep_chart(report: Report) -> Chart | None:
    """Draw the final error of every switched condition against its switch epoch, with ERM and Mixup as levels.

    Returns:
        The chart, or None if fewer than three conditions differ in nothing but their switch.
    """
    switched = sorted(
        (c for c in report.conditions if c.role == "switched" and c.switch_epoch and c.final.value is not None),
        key=lambda c: c.switch_epoch or 0.0,
    )
    if len(switched) < MIN_SWITCHES:
        return None
    levels = [c for c in report.conditions if c.role in ("erm", "mixup") and c.final.value is not None]
    alt = " ".join(
        ["Final test error against switch epoch."]
        + [f"{c.name}: {percent(c.final.value, report.digits)}." for c in (*levels, *switched)]
    )
    return Chart(
        name="switch-sweep",
        title="Where to switch",
        caption="Test error at the end of the training, against the epoch at which Mixup was switched off. Level "
        "lines: no Mixup, and Mixup to the end. Below: where policies switch, a tick at the median "
        "over seeds on a bar over their range.",
        note="Bars: 95 % interval from a bootstrap over seeds and test samples together.",
        alt=alt,
        spec=_spec(report, switched, levels, alt),
        table=_table(report, [*levels, *switched]),
    )


def _spec(report: Report, switched: list[Condition], levels: list[Condition], alt: str) -> dict[str, Any]:
    marks = _marks(report)
    strip = _ROW * len(marks) + 8 * bool(marks)
    epochs = [float(c.switch_epoch or 1) for c in switched]
    epochs += [float(mark[end]) for mark in marks for end in ("lo", "hi") if mark[end] > 0]
    x = _horizontal(min(epochs), max(epochs))
    # The curve ends above the choices, so that no tick touches a bar of it. Where there is no room for their names,
    # they are left to the table.
    scale = {"zero": False, "nice": True, "range": [{"expr": f"height - (labels ? {strip} : 0)"}, 0]}
    y = quantitative("error") | {"scale": scale, "axis": {"tickCount": 6, "title": None}}
    color = {
        "field": "condition",
        "type": "nominal",
        "scale": {"domain": [c.name for c in report.conditions], "range": "category"},
        "legend": None,
    }
    layers: list[Layer] = [
        {"mark": {"type": "line", "style": "leader"}, "encoding": {"y": y}},
        {
            "mark": {"type": "rule", "style": "whisker", "strokeOpacity": 0.35},
            "encoding": {"y": quantitative("lo") | {"scale": scale}, "y2": {"field": "hi"}},
        },
        {"mark": {"type": "point", "style": "dot", "size": 80}, "encoding": {"y": y}},
        *_levels(levels, y, color),
        *_strip(marks, strip, color),
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": alt,
        "title": {"text": "Final test error, %", "subtitle": report.name},
        "width": 760,
        "height": 320 + strip,
        "padding": 10,
        "params": [
            {"name": "shown", "value": [c.name for c in report.conditions]},
            {"name": "full", "value": False},
            {"name": "labels", "value": True},
        ],
        "data": {
            "values": [
                {
                    "condition": c.name,
                    "epoch": c.switch_epoch,
                    "error": _percent(c.final.value),
                    "lo": _percent(c.final.value if c.final.lo is None else c.final.lo),
                    "hi": _percent(c.final.value if c.final.hi is None else c.final.hi),
                }
                for c in switched
            ]
        },
        "transform": [ONLY_SHOWN],
        "encoding": {"x": x["log"]},
        "layer": layers,
        "usermeta": {"overmix": {"x": x, "subtitle": report.name}},
    }


def _horizontal(first: float, last: float) -> dict[str, Layer]:
    """Return the horizontal encoding for a logarithmic and for a linear scale."""
    return {
        "log": {
            **quantitative("epoch"),
            "scale": {"type": "log", "nice": False, "domain": [0.8 * first, 1.25 * last]},
            "axis": {"values": log_ticks(first, last), "format": ",d", "title": _LOG_TITLE},
        },
        "linear": {
            **quantitative("epoch"),
            "scale": {"type": "linear", "nice": False, "domain": [0, 1.05 * last]},
            "axis": {"tickCount": 6, "format": ",d", "title": "switch epoch"},
        },
    }


def _levels(levels: list[Condition], y: Layer, color: Layer) -> list[Layer]:
    """Draw conditions that do not switch as lines from side to side."""
    own = {
        "data": {"values": [{"condition": c.name, "error": _percent(c.final.value)} for c in levels]},
        "transform": [ONLY_SHOWN],
    }
    line = {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {"x": {"value": 0}, "x2": {"value": "width"}}}
    name = {
        "mark": {"type": "text", "style": "note", "align": "right", "dy": -7},
        "encoding": {"x": {"value": {"expr": "width - 4"}}, "text": {"field": "condition", "type": "nominal"}},
    }
    return [{**own, **layer, "encoding": {**layer["encoding"], "y": y, "color": color}} for layer in (line, name)]


def _marks(report: Report) -> list[dict[str, Any]]:
    """Return what stands below the curve, a row each: the best switch, and where policies switch."""
    if report.search is None:
        own = [Choice(c.name, c.decided, None, Estimate(), None, trained=True) for c in report.conditions if c.decided]
        return [_mark(choice) for choice in own]
    at = report.search.best_at
    best = {"condition": None, "at": at, "lo": at, "hi": at, "text": f"{BEST}: {count(at)}"}
    return [best, *(_mark(c) for c in report.search.choices if c.policy not in ENDS and c.switch_at)]


def _mark(choice: Choice) -> dict[str, Any]:
    return {
        "condition": choice.policy if choice.trained else None,
        "at": median(choice.switch_at),
        "lo": min(choice.switch_at),
        "hi": max(choice.switch_at),
        "text": f"{choice.policy}: {choice_range(choice)}",
    }


def _strip(marks: list[dict[str, Any]], strip: int, color: Layer) -> list[Layer]:
    """Draw the rows below the curve: a bar over the range, a tick at the median, and the name on the right."""
    layers: list[Layer] = []
    for row, mark in enumerate(marks):
        middle = f"height - {strip - 10 - _ROW * row}"
        # A logarithmic axis has no place for a switch at 0: the name says it, and what else there is is drawn.
        shown = {"at": max(mark["at"], 1e-9), "lo": max(mark["lo"], 1e-9), "hi": max(mark["hi"], 1e-9)}
        visible = [{"filter": "labels"}, *([ONLY_SHOWN] if mark["condition"] else [])]
        own: Layer = {"data": {"values": [{**mark, **shown}]}, "transform": visible}
        drawn = {"color": color} if mark["condition"] else {}
        span = {"x": quantitative("lo"), "x2": {"field": "hi"}, "y": {"value": {"expr": middle}}}
        tick = {
            "x": quantitative("at"),
            "y": {"value": {"expr": f"{middle} - 6"}},
            "y2": {"value": {"expr": f"{middle} + 6"}},
        }
        name = {
            "x": {"value": {"expr": "width"}},
            "y": {"value": {"expr": middle}},
            "text": {"field": "text", "type": "nominal"},
        }
        layers += [
            {**own, "mark": {"type": "rule", "style": "bar", "clip": True}, "encoding": span | drawn},
            {**own, "mark": {"type": "rule", "strokeWidth": 2.5, "clip": True}, "encoding": tick | drawn},
            {**own, "mark": {"type": "text", "style": "note", "align": "left", "dx": 10}, "encoding": name | drawn},
        ]
    return layers


def _percent(share: float | None) -> float:
    return 100 * (share or 0.0)


def _table(report: Report, conditions: list[Condition]) -> list[list[str]]:
    header = ["Condition", "Switch epoch", "Final test error", "95 % interval"]
    return [
        header,
        *(
            [
                c.name,
                count(c.switch_epoch),
                percent(c.final.value, report.digits),
                percent_range(c.final.lo, c.final.hi, report.digits),
            ]
            for c in conditions
        ),
    ]
