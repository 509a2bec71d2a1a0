"""Test error against epoch, with the turning point below and the switch above: the picture that decides."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from overmix.report.charts.chart import Chart
from overmix.report.charts.curve import curve_chart
from overmix.report.charts.layers import ONLY_SHOWN, Layer, dots, haloed, quantitative, text
from overmix.report.charts.series import Series
from overmix.report.shown import Report
from overmix.study.analyse.record import ConditionSummary

MAX_NOTES = 4  # more turning points or switches are drawn without words
_ROW = 22  # pixels between the lines of notes


def error_chart(report: Report, *, size: tuple[int, int] = (760, 380)) -> Chart | None:
    """Draw test error against epoch, with turning points, switches and the range of switches that may be best."""
    turning = [c for c in report.conditions if _turns(c, report.epochs)]
    switched = [c for c in report.conditions if c.switch_epoch is not None and c.switch_epoch <= report.epochs]
    safe = _within(report)
    unfolded = {c.name for c in report.first}
    noted = [c for c in turning if c.name in unfolded]
    about = report.error_words
    if 0 < len(noted) <= MAX_NOTES:
        about += " A dotted line leads from a curve's turning point down to its epoch; the bar is the epoch's interval."
    if any(c.verdict == "undecided" for c in turning):
        about += " A hollow turning point means undecided."
    if switched:
        about += " Triangles on top show where mixing was switched off."
    if safe:
        about += " The grey bar on top spans the switches that may be best."

    def extra(lines: Sequence[Series]) -> list[Layer]:
        names = {line.name for line in lines}
        layers = _safe_range(*safe) if safe else []
        rows = {c.name: row for row, c in enumerate(noted)} if len(noted) <= MAX_NOTES else {}
        for c in turning:
            layers += _turning_point(c, rows.get(c.name), report.error.scale) if c.name in names else []
        return [*layers, *_switches([c for c in switched if c.name in names], unfolded)]

    return curve_chart(
        report,
        report.error,
        name="test-error",
        title="Test error",
        about=about,
        size=size,
        extra=extra,
    )


def _turns(c: ConditionSummary, last: int) -> bool:
    """Return whether a curve has, or may have, a turning point; a curve that is lowest at its end has none."""
    if c.verdict not in ("u-shaped", "undecided") or c.lowest.value is None or c.turning_epoch.value is None:
        return False
    return c.turning_epoch.value < last


def _within(report: Report) -> tuple[float, float] | None:
    """Return the safe range as far as it lies within the study's epochs."""
    if report.advice.safe is None or report.advice.safe[0] >= report.epochs:
        return None
    lo, hi = report.advice.safe
    return max(lo, 1.0), min(hi, float(report.epochs))


def _turning_point(c: ConditionSummary, row: int | None, scale: float) -> list[Layer]:
    """Draw one turning point: a dot on the curve; with a row, a leader to it, and there the epoch with its interval."""
    at = c.turning_epoch
    datum = {
        "condition": c.name,
        "epoch": at.value,
        "from": at.lo,
        "to": at.hi,
        "error": scale * (c.lowest.value or 0.0),
        "text": f"turns at epoch {at.value:,.0f}",
    }
    x, y = quantitative("epoch"), quantitative("error")
    layers = [dots(y, style="dot" if c.verdict == "u-shaped" else "ring", size=80)]
    if row is not None:
        leader = {"mark": {"type": "rule", "style": "leader", "clip": True}}
        layers.insert(0, leader | {"encoding": {"y": y, "y2": {"value": "height"}}})
        layers += _note(x, {"value": {"expr": f"height - {14 + _ROW * row}"}}, at.value or 1.0)
    if row is not None and at.lo is not None and at.hi is not None:
        base = {"value": {"expr": f"height - {2 + _ROW * row}"}}
        span = {"x": quantitative("from"), "x2": {"field": "to"}, "y": base}
        bar = {"type": "rule", "style": "whisker", "strokeWidth": 4, "clip": True}
        layers.append({"mark": bar, "encoding": span})
    return [{"data": {"values": [datum]}, "transform": [ONLY_SHOWN], **layer} for layer in layers]


def _note(x: Layer, y: Layer, epoch: float) -> list[Layer]:
    """Write text beside an epoch, on the side that has room."""
    left = f"width - scale('x', {epoch}) < min(120, scale('x', {epoch}))"
    align, dx = {"expr": f"{left} ? 'right' : 'left'"}, {"expr": f"{left} ? -7 : 7"}
    return haloed(text("note", {"x": x, "y": y}, align=align, dx=dx))


def _switches(switched: Sequence[ConditionSummary], unfolded: Collection[str]) -> list[Layer]:
    """Draw, on the frame's upper edge, a triangle for each condition that was switched; words for a few unfolded."""
    layers: list[Layer] = []
    top = {"value": 3}
    noted = [c for c in switched if c.name in unfolded]
    rows = {c.name: row for row, c in enumerate(noted)} if len(noted) <= MAX_NOTES else {}
    for c in switched:
        epoch = c.switch_epoch or 1.0
        x = quantitative("epoch")
        layer = {
            "data": {"values": [{"condition": c.name, "epoch": epoch, "text": f"switched off at {epoch:,.0f}"}]},
            "transform": [ONLY_SHOWN],
        }
        mark = {"type": "point", "style": "dot", "shape": "triangle-down", "size": 90}
        layers.append({**layer, "mark": mark, "encoding": {"x": x, "y": top}})
        if c.name in rows:
            layers += [layer | note for note in _note(x, {"value": 17 + _ROW * rows[c.name]}, epoch)]
    return layers


def _safe_range(lo: float, hi: float) -> list[Layer]:
    data = {"values": [{"from": lo, "to": hi, "text": f"may be best: off at {lo:,.0f}–{hi:,.0f}"}]}
    y = {"value": 3}
    bar = {
        "data": data,
        "mark": {"type": "rule", "style": "bar", "clip": True},
        "encoding": {"x": quantitative("from"), "x2": {"field": "to"}, "y": y, "color": None},
    }
    right = f"width - scale('x', {hi}) > min(125, scale('x', {lo}))"
    x = {"value": {"expr": f"{right} ? scale('x', {hi}) + 12 : scale('x', {lo}) - 12"}}
    note = text("plain", {"x": x, "y": y, "color": None}, align={"expr": f"{right} ? 'left' : 'right'"})
    return [bar, *haloed({"data": data, **note})]
