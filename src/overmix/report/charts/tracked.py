"""Why it turns: whether training has arrived anywhere, and whether it learns the noise of mixed labels by heart."""

from __future__ import annotations

import polars as pl

from overmix.report.charts.chart import Chart
from overmix.report.charts.curve import curve_chart
from overmix.report.charts.lines import EPOCH, ProgressAxis
from overmix.report.metrics import LEARNT, MEMORIZED, NORM_CLEAN, NORM_MIXED, RESISTED, Metric
from overmix.report.numbers import percent
from overmix.report.shown import Report

_SIZE = (520, 260)
_ABOUT: tuple[tuple[Metric, str], ...] = (
    (
        NORM_MIXED,
        "Length of the gradient of the mean loss over fixed mixtures: near zero once they are all fitted.",
    ),
    (
        NORM_CLEAN,
        "Length of the gradient of the mean loss over all clean training samples: near zero once all are fitted.",
    ),
    (
        MEMORIZED,
        "Share of the mixtures with a noisy label that are predicted as that label: a rise is noise learnt by heart.",
    ),
    (
        RESISTED,
        "Share of the mixtures with a noisy label that are predicted as their true class instead.",
    ),
    (
        LEARNT,
        "Share of the mixtures whose label is the true class that are predicted as it: what is learnt without noise.",
    ),
)


def tracked_charts(report: Report, along: ProgressAxis = EPOCH) -> list[Chart]:
    """Draw what was tracked against epoch, or another axis; nothing if nothing was."""
    charts = [
        curve_chart(
            report,
            metric,
            name=metric.key.replace("_", "-"),
            title=metric.label,
            about=about,
            size=_SIZE,
            frame="whole",
            along=along,
        )
        for metric, about in _ABOUT
    ]
    return [chart for chart in charts if chart]


def truth_words(report: Report) -> str:
    """Say how many of the fixed mixtures are noisy, and how far the rule that says so can be trusted."""
    if "noise_share" not in report.curves.columns:
        return ""
    means = report.curves.select(pl.col("noise_share", "truth_error").mean())
    noisy, error = means.row(0)
    if noisy is None or error is None:
        return ""
    return (
        f"Of the mixtures {percent(noisy, 1)} have a noisy label: their larger weight is on another class than that of "
        "most of the five samples nearest to the mixed point, the mixed ones left out. That is our choice of a truth, "
        f"and only as good as nearest neighbours are here: they name {percent(error, 1)} of the test samples wrongly."
    )
