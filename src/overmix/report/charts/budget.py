"""Final error against budget: one training per length, each with its own learning-rate schedule."""

from __future__ import annotations

from typing import Any

from overmix.report.charts.axis import Axis
from overmix.report.charts.chart import Chart, specification
from overmix.report.charts.layers import (
    Layer,
    bounds,
    colored,
    dots,
    finished,
    haloed,
    inked,
    nominal,
    page_parameters,
    short,
    text,
)
from overmix.report.numbers import count
from overmix.report.shown import Report
from overmix.report.table import Table
from overmix.study.analyse.record import ConditionSummary


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
        + [f"{c.name}, {count(c.epochs)} epochs: {report.error.text(c.final.value)}." for c in conditions]
    )
    return Chart(
        name="budget",
        title="Final error against budget",
        caption="Test error at the end of trainings that differ in nothing but their length. Each is a run of its own, "
        "with a learning-rate schedule of its own length; a line joins runs that are otherwise the same.",
        note="Bars: 95 % interval from a bootstrap over seeds and test samples together.",
        alt=alt,
        spec=_spec(report, families, alt),
        table=Table(
            "Final error against budget",
            ["Condition", "Epochs", "Steps", "Final test error", "95 % interval"],
            [
                [
                    c.name,
                    count(c.epochs),
                    count(c.steps),
                    report.error.text(c.final.value),
                    report.error.interval(c.final.lo, c.final.hi),
                ]
                for c in conditions
            ],
        ),
    )


def _families(report: Report) -> list[list[ConditionSummary]]:
    """Return groups of at least two budgets, each from short to long."""
    by_family: dict[str, list[ConditionSummary]] = {}
    for c in report.conditions:
        if c.family and c.epochs and c.final.value is not None:
            by_family.setdefault(c.family, []).append(c)
    several = [family for family in by_family.values() if len({c.epochs for c in family}) > 1]
    return [sorted(family, key=lambda c: c.epochs or 0) for family in several]


def _spec(report: Report, families: list[list[ConditionSummary]], alt: str) -> dict[str, Any]:
    budgets = [float(c.epochs or 1) for family in families for c in family]
    x = _horizontal(sorted(set(budgets)))
    y = Y_AXIS.vertical("error")
    layers: list[Layer] = [
        inked({"mark": {"type": "line", "style": "leader"}, "encoding": {"y": y, "detail": nominal("family")}}),
        bounds(y, area=False, clip=False),
        dots(y, size=80, clip=False),
        *_names(len(families), y),
    ]
    return specification(
        alt,
        report.error.heading.replace("Test", "Final test", 1),
        (760, 320),
        subtitle=f"{report.name} · by the length of the training",
        page={"x": x, "subtitle": "by the length of the training"},
        params=page_parameters([c.name for c in report.conditions]),
        data={
            "values": [_row(c, number, report.error.scale) for number, members in enumerate(families) for c in members]
        },
        encoding={"x": x["log"]},
        layer=finished(layers, colored([c.name for c in report.conditions])),
    )


Y_AXIS = Axis("final test error", format=None)
"""Of final errors: not from zero, since what differs is small beside them."""


def _names(families: int, y: Layer) -> list[Layer]:
    """Return the names: those of every other family, whose dots stand a little to the right, on the right of them."""
    # A layer without a name has no extent, which Vega complains about.
    sides = ((0, "right", -9), (1, "left", 9))[:families]
    return [
        layer
        for side, align, dx in sides
        for layer in haloed(
            {
                "transform": [{"filter": f"datum.family % 2 === {side}"}],
                **text("note", {"y": y}, field="condition", align=align, dx=dx),
            }
        )
    ]


def _horizontal(budgets: list[float]) -> dict[str, Layer]:
    """Return the horizontal encoding for a logarithmic and for a linear scale."""
    first, last = budgets[0], budgets[-1]
    log = Axis("epochs in all", log=True, domain=(0.55 * first, 1.8 * last), format=",d", ticks=budgets)
    linear = Axis("epochs in all", domain=(0, 1.2 * last), format=",d")
    scales = {"log": log.horizontal("at"), "linear": linear.horizontal("at")}
    for scale in scales.values():
        scale["axis"]["labelOverlap"] = "greedy"
    return scales


def _row(c: ConditionSummary, family: int, scale: float) -> dict[str, Any]:
    final, lo, hi = c.final.value, c.final.lo, c.final.hi
    # Families are drawn a little apart, so that no interval hides another.
    at = short((c.epochs or 1) * 1.03**family)
    lo, hi = final if lo is None else lo, final if hi is None else hi
    error = {name: scale * (value or 0.0) for name, value in (("error", final), ("lo", lo), ("hi", hi))}
    return {"condition": c.name, "family": family, "epochs": c.epochs, "at": at, **error}
