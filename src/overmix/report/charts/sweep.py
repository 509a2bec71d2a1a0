"""Final error against the epoch at which Mixup was switched off."""

from __future__ import annotations

from statistics import median
from typing import Any

from overmix.report.charts.axis import Axis
from overmix.report.charts.budget import Y_AXIS
from overmix.report.charts.chart import Chart, specification
from overmix.report.charts.frame import log_ticks
from overmix.report.charts.layers import (
    ONLY_SHOWN,
    Layer,
    bounds,
    colored,
    dots,
    finished,
    inked,
    page_parameters,
    quantitative,
    text,
)
from overmix.report.numbers import count
from overmix.report.search import BEST, choice_range
from overmix.report.shown import Report
from overmix.report.table import Table
from overmix.study.analyse.choices import ENDS, MIN_SWITCHES
from overmix.study.analyse.record import ConditionSummary, Estimate, PolicyChoice

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
        + [f"{c.name}: {report.error.text(c.final.value)}." for c in (*levels, *switched)]
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


def _spec(report: Report, switched: list[ConditionSummary], levels: list[ConditionSummary], alt: str) -> dict[str, Any]:
    marks, scale_of_errors = _marks(report), report.error.scale
    strip = _ROW * len(marks) + 8 * bool(marks)
    epochs = [float(c.switch_epoch or 1) for c in switched]
    epochs += [float(mark[end]) for mark in marks for end in ("lo", "hi") if mark[end] > 0]
    x = _horizontal(min(epochs), max(epochs))
    # The curve ends above the choices, so that no tick touches a bar of it. Where there is no room for their names,
    # they are left to the table.
    scale = {"zero": False, "nice": True, "range": [{"expr": f"height - (labels ? {strip} : 0)"}, 0]}
    y = Y_AXIS.vertical("error") | {"scale": scale}
    layers: list[Layer] = [
        inked({"mark": {"type": "line", "style": "leader"}, "encoding": {"y": y}}),
        inked(bounds(y, area=False, strokeOpacity=0.35, clip=False)),
        inked(dots(y, size=80, clip=False)),
        *_levels(levels, y, scale_of_errors),
        *_strip(marks, strip),
    ]
    return specification(
        alt,
        report.error.heading.replace("Test", "Final test", 1),
        (760, 320 + strip),
        subtitle=f"{report.name} · by the epoch at which mixing was switched off",
        page={"x": x, "subtitle": "by the epoch at which mixing was switched off"},
        params=page_parameters([c.name for c in report.conditions]),
        data={
            "values": [
                {
                    "condition": c.name,
                    "epoch": c.switch_epoch,
                    "error": scale_of_errors * (c.final.value or 0.0),
                    "lo": scale_of_errors * ((c.final.value if c.final.lo is None else c.final.lo) or 0.0),
                    "hi": scale_of_errors * ((c.final.value if c.final.hi is None else c.final.hi) or 0.0),
                }
                for c in switched
            ]
        },
        encoding={"x": x["log"]},
        layer=finished(layers, colored([c.name for c in report.conditions])),
    )


def _horizontal(first: float, last: float) -> dict[str, Layer]:
    """Return the horizontal encoding for a logarithmic and for a linear scale."""
    ticks = log_ticks(first, last)
    log = Axis("switch epoch", log=True, domain=(0.8 * first, 1.25 * last), format=",d", ticks=ticks)
    linear = Axis("switch epoch", domain=(0, 1.05 * last), format=",d")
    return {"log": log.horizontal(), "linear": linear.horizontal()}


def _levels(levels: list[ConditionSummary], y: Layer, scale: float) -> list[Layer]:
    """Draw conditions that do not switch as lines from side to side."""
    level = {
        "data": {"values": [{"condition": c.name, "error": scale * (c.final.value or 0.0)} for c in levels]},
        "transform": [ONLY_SHOWN],
    }
    across = {"x": {"value": 0}, "x2": {"value": "width"}, "y": y}
    right = {"x": {"value": {"expr": "width - 4"}}, "y": y}
    return [
        {**level, "mark": {"type": "rule", "strokeWidth": 2}, "encoding": across},
        {**level, **text("note", right, field="condition", align="right", dy=-7)},
    ]


def _marks(report: Report) -> list[dict[str, Any]]:
    """Return what stands below the curve, a row each: the best switch, and where policies switch."""
    if report.search is None:
        deciding = [c for c in report.conditions if c.decided]
        return [_mark(PolicyChoice(c.name, c.decided, None, Estimate(), None, trained=True)) for c in deciding]
    at = report.search.best_at
    best = {"condition": None, "at": at, "lo": at, "hi": at, "text": f"{BEST}: {count(at)}"}
    return [best, *(_mark(c) for c in report.search.choices if c.policy not in ENDS and c.switch_at)]


def _mark(choice: PolicyChoice) -> dict[str, Any]:
    return {
        "condition": choice.policy if choice.trained else None,
        "at": median(choice.switch_at),
        "lo": min(choice.switch_at),
        "hi": max(choice.switch_at),
        "text": f"{choice.policy}: {choice_range(choice)}",
    }


def _strip(marks: list[dict[str, Any]], strip: int) -> list[Layer]:
    """Draw the rows below the curve: a bar over the range, a tick at the median, and the name on the right."""
    layers: list[Layer] = []
    for row, mark in enumerate(marks):
        middle = f"height - {strip - 10 - _ROW * row}"
        # A logarithmic axis has no place for a switch at 0: the name says it, and what else there is is drawn.
        places = {key: max(mark[key], 1e-9) for key in ("at", "lo", "hi")}
        of_condition = mark["condition"] is not None
        data: Layer = {
            "data": {"values": [{**mark, **places}]},
            "transform": [{"filter": "labels"}, *([ONLY_SHOWN] if of_condition else [])],
        }
        span = {"x": quantitative("lo"), "x2": {"field": "hi"}, "y": {"value": {"expr": middle}}}
        tick = {
            "x": quantitative("at"),
            "y": {"value": {"expr": f"{middle} - 6"}},
            "y2": {"value": {"expr": f"{middle} + 6"}},
        }
        name = {"x": {"value": {"expr": "width"}}, "y": {"value": {"expr": middle}}}
        drawn = [
            {**data, "mark": {"type": "rule", "style": "bar", "clip": True}, "encoding": span},
            {**data, "mark": {"type": "rule", "strokeWidth": 2.5, "clip": True}, "encoding": tick},
            {**data, **text("note", name, align="left", dx=10)},
        ]
        layers += drawn if of_condition else map(inked, drawn)
    return layers


def _table(report: Report, conditions: list[ConditionSummary]) -> Table:
    rows = [
        [
            c.name,
            count(c.switch_epoch),
            report.error.text(c.final.value),
            report.error.interval(c.final.lo, c.final.hi),
        ]
        for c in conditions
    ]
    return Table("Where to switch", ["Condition", "Switch epoch", "Final test error", "95 % interval"], rows)
