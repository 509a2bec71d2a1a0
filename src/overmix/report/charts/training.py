"""What training itself sees: the loss it lowers, the floor that loss cannot pass, and the clean samples behind it."""

from __future__ import annotations

from collections.abc import Sequence

from overmix.report.charts.chart import Chart
from overmix.report.charts.curve import curve_chart
from overmix.report.charts.layers import Layer, haloed, quantitative, reference, text
from overmix.report.charts.lines import EPOCH, ProgressAxis
from overmix.report.charts.series import Series
from overmix.report.metrics import MIX_LOSS
from overmix.report.shown import Report

_SIZE = (520, 260)


def loss_chart(report: Report, along: ProgressAxis = EPOCH) -> Chart | None:
    """Draw the training loss as optimised, with the loss floor of every condition that mixes."""
    about = "Mean loss over the batches of an epoch, on mixed samples while mixing is on."
    if report.floor:
        about += " Dashed horizontal line: the loss floor, which no predictor can pass while labels are mixed."

    def extra(lines: Sequence[Series]) -> list[Layer]:
        floors = _floors(report)
        rules = [_rule(value) for value in floors]
        return [*rules, *(part for group in _close(floors) for part in _note(group))]

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
        along=along,
    )


def training_error_chart(report: Report, along: ProgressAxis = EPOCH) -> Chart | None:
    """Draw the error on the clean training samples: zero means that they are memorised."""
    return curve_chart(
        report,
        report.train_error,
        name="training-error",
        title="Error on clean training data",
        about="Error on the training samples, unmixed. At zero they are all fitted, whatever the training loss says.",
        size=_SIZE,
        frame="whole",
        along=along,
    )


def training_charts(report: Report, along: ProgressAxis = EPOCH) -> list[Chart]:
    """Draw the training loss and the error on clean training data against epoch, or another axis."""
    return [chart for chart in (loss_chart(report, along), training_error_chart(report, along)) if chart]


def _floors(report: Report) -> list[float]:
    """Return the distinct floors; conditions that share one share its line."""
    return sorted({round(value, 4) for value in report.floor.values()})


def _close(floors: Sequence[float]) -> list[list[float]]:
    """Group floors whose notes would lie on top of each other, such as those of two training set sizes."""
    groups: list[list[float]] = []
    for value in floors:
        if groups and value < 1.05 * groups[-1][0]:
            groups[-1].append(value)
        else:
            groups.append([value])
    return groups


def _rule(value: float) -> Layer:
    across = {"x": {"value": 0}, "x2": {"value": "width"}, "y": quantitative("floor"), "color": None}
    return reference(across, [{"floor": value}])


def _note(group: Sequence[float]) -> list[Layer]:
    low, high = f"{group[0]:.3g}", f"{group[-1]:.3g}"
    words = f"loss floor {low}" if low == high else f"loss floors {low}–{high}"
    note = text("plain", {"x": {"value": 4}, "y": quantitative("floor"), "color": None}, align="left", dy=9)
    return haloed({"data": {"values": [{"floor": group[0], "text": words}]}, **note})
