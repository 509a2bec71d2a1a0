"""Test error against what over-training is a matter of: steps, and learning rate × steps."""

from __future__ import annotations

from overmix.report.charts.chart import Chart
from overmix.report.charts.curve import curve_chart
from overmix.report.charts.lines import STEP, TRAVEL, Axis, other_axes
from overmix.report.metrics import error_metric
from overmix.report.reading import Report

_SIZE = (520, 260)
_NAMES: dict[Axis, tuple[str, str, str]] = {
    STEP: (
        "test-error-by-step",
        "Test error against steps",
        "The same curves against optimizer steps: with fewer training samples an epoch has fewer of them.",
    ),
    TRAVEL: (
        "test-error-by-learning-rate",
        "Test error against learning rate × steps",
        "The same curves against the sum of the learning rates of all steps: how far training can have moved.",
    ),
}


def axes_charts(report: Report) -> list[Chart]:
    """Draw the test error against steps and against accumulated learning rate, where that is another picture.

    Returns:
        No chart where conditions keep their places, up to a common factor: one size of data, one constant rate.
    """
    charts = []
    for axis in other_axes(report):
        name, title, about = _NAMES[axis]
        metric = error_metric(report.digits)
        charts.append(curve_chart(report, metric, name=name, title=title, about=about, size=_SIZE, axis=axis))
    return [chart for chart in charts if chart]
