"""A metric of a study against epoch, one line and band per condition: the form that most charts of a report share.

The page changes a chart in few places only, all prepared here: the parameters ``shown`` (which conditions), ``full``
(the whole curve, or the part that matters) and ``labels`` (names at the lines' ends); ``usermeta.overmix.x`` with the
horizontal encoding for each scale; width, height and configuration;
``usermeta.overmix.subtitle``, since a page need not repeat the study's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from overmix.report.charts.axis import Axis
from overmix.report.charts.chart import Chart
from overmix.report.charts.frame import entry, focus, log_ticks
from overmix.report.charts.layers import Layer
from overmix.report.charts.line_chart import MAX_BANDS, line_chart
from overmix.report.charts.lines import EPOCH, ProgressAxis, read_lines
from overmix.report.charts.series import Series, Values
from overmix.report.metrics import Metric
from overmix.report.shown import Report
from overmix.study.analyse.record import ConditionSummary

MAX_END_LABELS = 8  # more conditions are named by a legend instead
_FEW = 12  # evaluations, up to which each is drawn as a dot too


def curve_chart(
    report: Report,
    metric: Metric,
    *,
    name: str,
    title: str,
    about: str,
    size: tuple[int, int] = (760, 380),
    frame: Literal["focus", "whole"] = "focus",
    reach: Sequence[float] = (),
    extra: Callable[[Sequence[Series]], list[Layer]] | None = None,
    along: ProgressAxis = EPOCH,
) -> Chart | None:
    """Draw a metric against epoch, or another axis.

    Args:
        report: the study.
        metric: what to draw.
        name: stem of the figure's files, and id on the page.
        title: heading on the page.
        about: first sentences of the caption.
        size: width and height of the frame in pixels, in the figure files.
        frame: ``"focus"`` leaves out the descent from the untrained network, ``"whole"`` shows all.
        reach: values, in the metric's unit, that the frame must hold.
        extra: makes further layers from the lines.
        along: what to draw it against.

    Returns:
        The chart, or None if the study has no value of this metric.
    """
    lines = read_lines(report, metric, along)
    if not lines:
        return None
    unfolded = {condition.name for condition in report.first}
    first = [line for line in lines if line.name in unfolded] or lines
    whole = _whole(lines, metric, reach)
    focused = _focused(first, metric, reach) if frame == "focus" else whole
    x_axis, linear = _horizontal(report, first, metric, focused[1], along)
    made_of = _made_of(_conditions(report, first), banded=_banded(first))
    return line_chart(
        name,
        title,
        f"{about} {_beyond(first, metric, focused)}".strip(),
        _band_words(first),
        lines,
        x_axis=x_axis,
        y_axis=Axis(metric.label, domain=whole, closeup=focused, format=None),
        values=Values(metric.with_interval, metric.scale),
        heading=metric.heading,
        subtitle=f"{report.name} · {made_of}",
        size=size,
        # The palette holds every condition, so that a colour means the same in all charts of a report.
        palette=[c.name for c in report.conditions],
        legend=_legend(first) if len(first) > MAX_END_LABELS else None,
        extra=extra(lines) if extra else (),
        points=max(len(line.x) for line in lines) <= _FEW,
        last_look=along is not EPOCH,
        first=[line.name for line in first],
        page={"x": {"log": x_axis.horizontal(), "linear": linear.horizontal()}, "subtitle": made_of},
    )


def _whole(lines: Sequence[Series], metric: Metric, reach: Sequence[float]) -> tuple[float, float]:
    top = max(*(float(line.ends[1].max()) for line in lines), *reach, 1e-9)
    return 0.0, 1.04 * metric.scale * top


def _focused(lines: Sequence[Series], metric: Metric, reach: Sequence[float]) -> tuple[float, float]:
    low, high = focus([(line.x, line.mean, *line.ends) for line in lines])
    return metric.scale * min([low, *reach]), metric.scale * max([high, *reach])


def _horizontal(
    report: Report, lines: Sequence[Series], metric: Metric, top: float, along: ProgressAxis
) -> tuple[Axis, Axis]:
    """Return the horizontal axis, logarithmic and linear; the close-up begins where some line comes below ``top``."""
    begin = 1.0 if along is EPOCH else min(float(line.x[0]) for line in lines)
    last = float(report.epochs) if along is EPOCH else max(float(line.x[-1]) for line in lines)
    first = entry([(line.x, metric.scale * line.mean) for line in lines], top, begin)
    written = ",d" if along.digits is None else ",~g"
    several = last > begin
    log = Axis(
        along.name,
        log=True,
        domain=(begin, last) if several else (0.5 * begin, 2 * begin),
        closeup=(first, last) if several else None,
        format=written,
        ticks=log_ticks(begin, last),
        digits=along.digits,
    )
    linear = Axis(along.name, domain=(0, max(last, 2 * begin)), format=written, ticks=() if several else (begin,))
    return log, linear


def _legend(lines: Sequence[Series]) -> Layer:
    return {"orient": "bottom", "columns": 3, "title": None, "values": [line.name for line in lines]}


def _banded(lines: Sequence[Series]) -> bool:
    return len(lines) <= MAX_BANDS and any(line.has_band for line in lines)


def _conditions(report: Report, lines: Sequence[Series]) -> list[ConditionSummary]:
    names = {line.name for line in lines}
    return [condition for condition in report.conditions if condition.name in names]


def _made_of(conditions: Sequence[ConditionSummary], *, banded: bool) -> str:
    sizes = sorted({condition.n_seeds - condition.n_diverged for condition in conditions})
    if sizes[-1] <= 1:
        return "one seed"
    n = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"
    return f"mean of {n} seeds" + (", 95 % band" if banded else "")


def _beyond(lines: Sequence[Series], metric: Metric, frame: tuple[float, float]) -> str:
    """Say what the frame leaves out."""
    above = [line.name for line in lines if metric.scale * float(line.mean[-1]) > frame[1]]
    if above:
        return f"A close-up; above its frame: {', '.join(above)}."
    if any(metric.scale * float(line.mean.max()) > frame[1] for line in lines):
        return "A close-up: early epochs leave the frame."
    return ""


def _band_words(lines: Sequence[Series]) -> str:
    if not any(line.has_band for line in lines):
        return "One seed has no interval, so no band is drawn."
    if len(lines) > MAX_BANDS:
        return f"Line: mean over seeds. Bands are left out where there are more than {MAX_BANDS}; the tables have them."
    return "Line: mean over seeds. Band: 95 % t-interval of that mean over seeds, on this one test set."
