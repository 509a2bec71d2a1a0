"""Final error against budget: one training per length, each with its own learning-rate schedule."""

from __future__ import annotations

from typing import Any

from overmix.report.charts.chart import Chart
from overmix.report.charts.layers import ONLY_SHOWN, Layer, haloed, quantitative, short
from overmix.report.numbers import count, percent, percent_range
from overmix.report.reading import Condition, Report


def budget_chart(report: Report) -> Chart | None:
    """Draw the final error of conditions that differ in their number of epochs alone, joined by a line.

    Returns:
        The chart, or None if no two conditions are so.
    """
    families = _families(report)
    if not families:
        return None
    conditions = [c for family in families for c in family]
    alt = " ".join(
        ["Final test error against budget."]
        + [f"{c.name}, {count(c.epochs)} epochs: {percent(c.final.value, report.digits)}." for c in conditions]
    )
    return Chart(
        name="budget",
        title="Final error against budget",
        caption="Test error at the end of trainings that differ in nothing but their length. Each is a run of its own, "
        "with a learning-rate schedule of its own length; a line joins runs that are otherwise the same.",
        note="Bars: 95 % interval from a bootstrap over seeds and test samples together.",
        alt=alt,
        spec=_spec(report, families, alt),
        table=[
            ["Condition", "Epochs", "Steps", "Final test error", "95 % interval"],
            *(
                [
                    c.name,
                    count(c.epochs),
                    count(c.steps),
                    percent(c.final.value, report.digits),
                    percent_range(c.final.lo, c.final.hi, report.digits),
                ]
                for c in conditions
            ),
        ],
    )


def _families(report: Report) -> list[list[Condition]]:
    """Return groups of at least two budgets, each from short to long."""
    found: dict[str, list[Condition]] = {}
    for c in report.conditions:
        if c.family and c.epochs and c.final.value is not None:
            found.setdefault(c.family, []).append(c)
    return [
        sorted(family, key=lambda c: c.epochs or 0) for family in found.values() if len({c.epochs for c in family}) > 1
    ]


def _spec(report: Report, families: list[list[Condition]], alt: str) -> dict[str, Any]:
    budgets = [float(c.epochs or 1) for family in families for c in family]
    x = _horizontal(sorted(set(budgets)))
    y = quantitative("error") | {"scale": {"zero": False, "nice": True}, "axis": {"tickCount": 6, "title": None}}
    scale = {"domain": [c.name for c in report.conditions], "range": "category"}
    color = {"field": "condition", "type": "nominal", "scale": scale, "legend": None}
    family = {"field": "family", "type": "nominal"}
    layers: list[Layer] = [
        {"mark": {"type": "line", "style": "leader"}, "encoding": {"y": y, "detail": family}},
        {
            "mark": {"type": "rule", "style": "whisker"},
            "encoding": {"y": quantitative("lo") | {"scale": {"zero": False}}, "y2": {"field": "hi"}, "color": color},
        },
        {"mark": {"type": "point", "style": "dot", "size": 80}, "encoding": {"y": y, "color": color}},
        *_names(len(families), y, color),
    ]
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
        "data": {"values": [_row(c, number) for number, members in enumerate(families) for c in members]},
        "transform": [ONLY_SHOWN],
        "encoding": {"x": x["log"]},
        "layer": layers,
        "usermeta": {"overmix": {"x": x, "subtitle": report.name}},
    }


def _names(families: int, y: Layer, color: Layer) -> list[Layer]:
    """Return the names: those of every other family, whose dots stand a little to the right, on the right of them."""
    # A layer without a name has no extent, which Vega complains about.
    sides = ((0, "right", -9), (1, "left", 9))[:families]
    text = {"field": "condition", "type": "nominal"}
    encoding = {"y": y, "color": color, "text": text}
    return [
        layer
        for side, align, dx in sides
        for layer in haloed(
            {
                "transform": [{"filter": f"datum.family % 2 === {side}"}],
                "mark": {"type": "text", "style": "note", "align": align, "dx": dx},
                "encoding": encoding,
            }
        )
    ]


def _horizontal(budgets: list[float]) -> dict[str, Layer]:
    field, first, last = quantitative("at"), budgets[0], budgets[-1]
    axis = {"format": ",d", "labelOverlap": "greedy"}
    return {
        "log": {
            **field,
            "scale": {"type": "log", "nice": False, "domain": [0.55 * first, 1.8 * last]},
            "axis": {**axis, "values": budgets, "title": "epochs in all (log scale)"},
        },
        "linear": {
            **field,
            "scale": {"type": "linear", "nice": False, "domain": [0, 1.2 * last]},
            "axis": {"tickCount": 6, **axis, "title": "epochs in all"},
        },
    }


def _row(c: Condition, family: int) -> dict[str, Any]:
    final, lo, hi = c.final.value, c.final.lo, c.final.hi
    # Families are drawn a little apart, so that no interval hides another.
    at = short((c.epochs or 1) * 1.03**family)
    lo, hi = final if lo is None else lo, final if hi is None else hi
    error = {name: 100 * (value or 0.0) for name, value in (("error", final), ("lo", lo), ("hi", hi))}
    return {"condition": c.name, "family": family, "epochs": c.epochs, "at": at, **error}
