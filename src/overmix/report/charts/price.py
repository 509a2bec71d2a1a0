"""What mixing costs beside errors: is the predicted probability still worth believing?"""

from __future__ import annotations

from overmix.report.charts.chart import Chart
from overmix.report.charts.curve import curve_chart
from overmix.report.charts.lines import EPOCH, ProgressAxis
from overmix.report.metrics import TEST_BRIER, TEST_CROSS_ENTROPY, TEST_ECE, Metric
from overmix.report.shown import Report

_SIZE = (520, 260)
_ABOUT: tuple[tuple[Metric, str, str, str], ...] = (
    (
        TEST_ECE,
        "calibration",
        "Calibration",
        "How far the predicted confidence lies from the share of predictions that are right.",
    ),
    (
        TEST_CROSS_ENTROPY,
        "cross-entropy",
        "Cross-entropy",
        "Mean negative log-probability of the right class on the test set, in nats.",
    ),
    (
        TEST_BRIER,
        "brier",
        "Brier score",
        "Mean squared distance between predicted probabilities and the right class, summed over classes.",
    ),
)


def price_charts(report: Report, along: ProgressAxis = EPOCH) -> list[Chart]:
    """Draw calibration error, cross-entropy and Brier score on the test set against epoch, or another axis."""
    charts = [
        curve_chart(report, metric, name=name, title=title, about=about, size=_SIZE, along=along)
        for metric, name, title, about in _ABOUT
    ]
    return [chart for chart in charts if chart]
