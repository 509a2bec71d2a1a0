"""Charts as picture files, rendered offline from the same specification that the page uses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import vl_convert

from overmix.report.charts import Chart, error_chart
from overmix.report.clips import share_clips
from overmix.report.look import LIGHT, Stroke, chart_config
from overmix.report.shown import Report, report_of
from overmix.study import StudyResult


def light(chart: Chart, strokes: Sequence[Stroke] = ()) -> dict[str, Any]:
    """Return a chart's specification with the light theme on paper.

    Args:
        chart: a chart.
        strokes: how the names of its palette are drawn, see :func:`strokes_of`; by the theme's colours in their order
            if there are none.
    """
    return {**chart.spec, "config": chart_config(LIGHT, strokes)}


def strokes_of(report: Report) -> list[Stroke]:
    """Return how the conditions of a study are drawn."""
    return list(report.strokes.values())


def to_svg(spec: Mapping[str, Any]) -> str:
    """Render a specification as SVG."""
    return str(vl_convert.vegalite_to_svg(json.dumps(spec)))


def to_png(svg: str, scale: float = 2.0) -> bytes:
    """Turn an SVG into a PNG with ``scale`` pixels per CSS pixel."""
    return bytes(vl_convert.svg_to_png(share_clips(svg), scale=scale))


def readme_figure(result: StudyResult) -> bytes:
    """Return the one picture of a study, test error against epoch, as PNG at the size of a README.

    Raises:
        ValueError: the study has no test error to draw.
    """
    report = report_of(result)
    chart = error_chart(report, size=(620, 340))
    if chart is None:
        raise ValueError("the study has no test error to draw")
    return to_png(to_svg(light(chart, strokes_of(report))))
