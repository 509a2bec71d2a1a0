"""One file per family of charts; each chart is a pure function of a report."""

from typing import TYPE_CHECKING

from overmix._lazy import lazily

if TYPE_CHECKING:
    from overmix.report.charts.axes import LABELS, axes_charts, charts_along
    from overmix.report.charts.budget import budget_chart
    from overmix.report.charts.chart import Chart
    from overmix.report.charts.curve import curve_chart
    from overmix.report.charts.error import error_chart
    from overmix.report.charts.lines import EPOCH, other_axes
    from overmix.report.charts.price import price_charts
    from overmix.report.charts.sweep import sweep_chart
    from overmix.report.charts.tracked import tracked_charts, truth_words
    from overmix.report.charts.training import training_charts

__all__ = [
    "EPOCH",
    "LABELS",
    "Chart",
    "axes_charts",
    "budget_chart",
    "charts_along",
    "curve_chart",
    "error_chart",
    "other_axes",
    "price_charts",
    "sweep_chart",
    "tracked_charts",
    "training_charts",
    "truth_words",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "axes": ("LABELS", "axes_charts", "charts_along"),
        "budget": ("budget_chart",),
        "chart": ("Chart",),
        "curve": ("curve_chart",),
        "error": ("error_chart",),
        "lines": ("EPOCH", "other_axes"),
        "price": ("price_charts",),
        "sweep": ("sweep_chart",),
        "tracked": ("tracked_charts", "truth_words"),
        "training": ("training_charts",),
    },
)
