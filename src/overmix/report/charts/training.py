"""What training itself sees: the loss it lowers, the floor that loss cannot pass, and the clean samples behind it."""

from __future__ import annotations

from collections.abc import Sequence

from overmix.report.charts.chart import Chart
from overmix.report.charts.curve import curve_chart
from overmix.report.charts.layers import Layer, haloed, quantitative
from overmix.report.charts.lines import Line
from overmix.report.metrics import MIX_LOSS, TRAIN_ERROR
from overmix.report.reading import Report

_SIZE = (520, 260)


def loss_chart(report: Report) -> Chart | None:
    """Draw the training loss as optimised, with the loss floor of every condition that mixes."""
    about = "Mean loss over the batches of an epoch, on mixed samples while mixing is on."
    if report.floor:
        about += " Dashed horizontal line: the loss floor, which no predictor can pass while labels are mixed."

    def extra(lines: Sequence[Line]) -> list[Layer]:
        return [layer for value in _floors(report) for layer in _floor(value)]

    return curve_chart(
        report,
        MIX_LOSS,
        name="training-loss",
        title="Training loss",
        about=about,
        size=_SIZE,
        extra=extra,
        frame="whole",
        reach=list(report.floor.values()),
    )


def training_error_chart(report: Report) -> Chart | None:
    """Draw the error on the clean training samples: zero means that they are memorised."""
    return curve_chart(
        report,
        TRAIN_ERROR,
        name="training-error",
        title="Error on clean training data",
        about="Error on the training samples, unmixed. At zero they are all fitted, whatever the training loss says.",
        size=_SIZE,
        frame="whole",
    )


def training_charts(report: Report) -> list[Chart]:
    """Draw the training loss and the error on clean training data."""
    return [chart for chart in (loss_chart(report), training_error_chart(report)) if chart]


def _floors(report: Report) -> list[float]:
    """Return the distinct floors; conditions that share one share its line."""
    return sorted({round(value, 4) for value in report.floor.values()})


def _floor(value: float) -> list[Layer]:
    data = {"values": [{"floor": value, "text": f"loss floor {value:.3g}"}]}
    y = quantitative("floor")
    rule = {
        "data": data,
        "mark": {"type": "rule", "style": "reference"},
        "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": y, "color": None},
    }
    text = {"field": "text", "type": "nominal"}
    note = {
        "data": data,
        "mark": {"type": "text", "style": "plain", "align": "left", "dy": 9},
        "encoding": {"x": {"value": 4}, "y": y, "color": None, "text": text},
    }
    return [rule, *haloed(note)]
