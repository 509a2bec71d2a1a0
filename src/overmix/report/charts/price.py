"""What mixing costs beside errors: is the predicted probability still worth believing?"""

from __future__ import annotations

from overmix.report.charts.chart import Chart
from overmix.report.charts.curve import curve_chart
from overmix.report.charts.lines import EPOCH, Progress
from overmix.report.metrics import TEST_BRIER, TEST_CROSS_ENTROPY, TEST_ECE
from overmix.report.reading import Report

_SIZE = (520, 260)


def price_charts(report: Report, along: Progress = EPOCH) -> list[Chart]:
    """Draw calibration error, cross-entropy and Brier score on the test set against epoch, or another axis."""
    charts = [
        curve_chart(
            report,
            TEST_ECE,
            name="calibration",
            title="Calibration",
            about="How far the predicted confidence lies from the share of predictions that are right.",
            size=_SIZE,
            along=along,
        ),
        curve_chart(
            report,
            TEST_CROSS_ENTROPY,
            name="cross-entropy",
            title="Cross-entropy",
            about="Mean negative log-probability of the right class on the test set, in nats.",
            size=_SIZE,
            along=along,
        ),
        curve_chart(
            report,
            TEST_BRIER,
            name="brier",
            title="Brier score",
            about="Mean squared distance between predicted probabilities and the right class, summed over classes.",
            size=_SIZE,
            along=along,
        ),
    ]
    return [chart for chart in charts if chart]
