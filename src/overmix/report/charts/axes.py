"""The same curves against what over-training is a matter of: steps, and learning rate × steps."""

from __future__ import annotations

from overmix.report.charts.chart import Chart
from overmix.report.charts.curve import curve_chart
from overmix.report.charts.lines import EPOCH, STEP, TRAVEL, ProgressAxis, other_axes
from overmix.report.charts.price import price_charts
from overmix.report.charts.tracked import tracked_charts
from overmix.report.charts.training import training_charts
from overmix.report.shown import Report

_SIZE = (520, 260)
_ABOUT: dict[ProgressAxis, str] = {
    STEP: "The same curves against optimizer steps: with fewer training samples an epoch has fewer of them.",
    TRAVEL: "The same curves against the sum of the learning rates of all steps: how far training can have moved.",
}
LABELS: dict[ProgressAxis, str] = {EPOCH: "epochs", STEP: "steps", TRAVEL: "learning rate × steps"}
"""How the page's control calls the axes."""


def axes_charts(report: Report) -> list[Chart]:
    """Draw the test error against steps and against accumulated learning rate, where that is another picture.

    Returns:
        No chart where conditions keep their places, up to a common factor: one size of data, one constant rate.
    """
    charts = [_error_along(report, along) for along in other_axes(report)]
    return [chart for chart in charts if chart]


def charts_along(report: Report, along: ProgressAxis) -> dict[str, Chart]:
    """Draw all curves of the page against another axis, by the name that they have against epochs.

    Marks at epochs, turning points and switches, are left out.
    """
    error = _error_along(report, along, size=(760, 380))
    others = [*price_charts(report, along), *training_charts(report, along), *tracked_charts(report, along)]
    return ({"test-error": error} if error else {}) | {chart.name: chart for chart in others}


def _error_along(report: Report, along: ProgressAxis, size: tuple[int, int] = _SIZE) -> Chart | None:
    return curve_chart(
        report,
        report.error,
        name=f"test-error-by-{along.key}",
        title=f"Test error against {LABELS[along]}",
        about=_ABOUT[along],
        size=size,
        along=along,
    )
