"""Final error against the epoch at which Mixup was switched off."""

from __future__ import annotations

from typing import Any

from overmix.report.charts.chart import Chart
from overmix.report.charts.frame import log_ticks
from overmix.report.charts.layers import ONLY_SHOWN, Layer, quantitative
from overmix.report.numbers import count, percent, percent_range
from overmix.report.reading import Condition, Report

_LOG_TITLE = "switch epoch (log scale)"

MIN_SWITCHES = 3
"""Fewer switched conditions are no curve."""


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
        "lines: no Mixup, and Mixup to the end. Ticks: where conditions that decide by themselves switched.",
        note="Bars: 95 % interval from a bootstrap over seeds and test samples together.",
        alt=alt,
        spec=_spec(report, switched, levels, alt),
        table=_table(report, [*levels, *switched]),
    )


def _spec(report: Report, switched: list[Condition], levels: list[Condition], alt: str) -> dict[str, Any]:
    decided = [(c.name, epoch) for c in report.conditions for epoch in c.decided if epoch > 0]
    epochs = [float(c.switch_epoch or 1) for c in switched] + [float(epoch) for _, epoch in decided]
    first, last = min(epochs), max(epochs)
    x = {
        "log": {
            **quantitative("epoch"),
            "scale": {"type": "log", "nice": False, "domain": [0.8 * first, 1.25 * last]},
            "axis": {
                "values": log_ticks(first, last),
                "format": ",d",
                "title": _LOG_TITLE,
            },
        },
        "linear": {
            **quantitative("epoch"),
            "scale": {"type": "linear", "nice": False, "domain": [0, 1.05 * last]},
            "axis": {"tickCount": 6, "format": ",d", "title": "switch epoch"},
        },
    }
    y = quantitative("error") | {"scale": {"zero": False, "nice": True}, "axis": {"tickCount": 6, "title": None}}
    color = {
        "field": "condition",
        "type": "nominal",
        "scale": {"domain": [c.name for c in report.conditions], "range": "category"},
        "legend": None,
    }
    layers: list[Layer] = [
        {"mark": {"type": "line", "style": "leader"}, "encoding": {"y": y}},
        {
            "mark": {"type": "rule", "style": "whisker", "strokeWidth": 3},
            "encoding": {"y": quantitative("lo") | {"scale": {"zero": False}}, "y2": {"field": "hi"}},
        },
        {"mark": {"type": "point", "style": "dot", "size": 80}, "encoding": {"y": y}},
        {
            "data": {"values": [{"condition": c.name, "error": _percent(c.final.value)} for c in levels]},
            "transform": [ONLY_SHOWN],
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": y, "color": color},
        },
        {
            "data": {"values": [{"condition": c.name, "error": _percent(c.final.value)} for c in levels]},
            "transform": [ONLY_SHOWN],
            "mark": {"type": "text", "style": "note", "align": "right", "dy": -7},
            "encoding": {
                "x": {"value": {"expr": "width - 4"}},
                "y": y,
                "color": color,
                "text": {"field": "condition", "type": "nominal"},
            },
        },
    ]
    if decided:
        layers.append(
            {
                "data": {"values": [{"condition": name, "epoch": epoch} for name, epoch in decided]},
                "transform": [ONLY_SHOWN],
                "mark": {"type": "tick", "orient": "vertical", "size": 12, "thickness": 2, "opacity": 0.6},
                "encoding": {"x": quantitative("epoch"), "y": {"value": {"expr": "height - 6"}}, "color": color},
            }
        )
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": alt,
        "title": {"text": "Final test error, %", "subtitle": report.name},
        "width": 760,
        "height": 320,
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
