"""What ``overmix diagnose --out`` leaves: the curves of a log, drawn, with the verdict on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overmix.diagnose import Diagnosis, smooth
from overmix.diagnose.axis import axis_noun, written_place
from overmix.diagnose.logs import LoggedCurves
from overmix.diagnose.numerals import written
from overmix.report.charts import Chart
from overmix.report.charts.axis import Axis
from overmix.report.charts.line_chart import Mark, line_chart
from overmix.report.charts.series import DASHED, Series
from overmix.report.explain.estimate import made_with
from overmix.report.explain.explanation import Explanation
from overmix.report.numbers import NONE
from overmix.report.table import Table

MAX_LINES = 8  # runs drawn one by one; of more, the mean
MAX_POINTS = 1000  # drawn of each
_METHOD = (
    ("U-shaped", "the interval of the depth lies above what matters, and noise alone does not look like it"),
    ("monotone", "a rise that matters can be excluded"),
    ("undecided", "neither"),
    ("depth", "by how much the end is worse than the turning point, freed of the luck of a lowest value"),
    ("what matters", "5 % of the lowest value; for rates at least half a percentage point"),
    ("smoothed", "local-linear regression along log epoch of the mean over the runs"),
)


def explain_logged(curves: LoggedCurves, diagnosis: Diagnosis) -> Explanation:
    """Return the verdict on logged curves with its picture, its numbers, and how the logs were read."""
    said = [f"Judged: {curves.describe(lower_is_better=diagnosis.lower_is_better)}."]
    if curves.others:
        said.append(f"Not looked at: {', '.join(curves.others)}.")
    return Explanation(
        name=curves.metric,
        sentence=diagnosis.advice,
        findings=[*said, *curves.notes],
        summary={"command": "diagnose"} | curves.to_dict() | diagnosis.to_dict() | {"versions": made_with()},
        charts=[_chart(curves, diagnosis)],
        tables=[_numbers(diagnosis), _runs(curves)],
        method=_METHOD,
        command="diagnose",
        kicker="Did it over-train?",
    )


def _chart(curves: LoggedCurves, diagnosis: Diagnosis) -> Chart:
    names, epochs, shown = _drawn(curves)
    mean = shown.mean(axis=0)
    at = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), MAX_POINTS)).round().astype(int))
    lines = [Series(short_name(name), epochs[at], values[at]) for name, values in zip(names, shown, strict=True)]
    if len(lines) > MAX_LINES or len({line.name for line in lines}) < len(lines):
        lines = [Series(f"mean of {len(lines)} runs", epochs[at], mean[at])]
    marks = []
    if len(epochs) > 1:
        lines.append(Series("smoothed", epochs[at], smooth(epochs, mean)[at], dash=DASHED))
    if diagnosis.verdict == "u-shaped":
        marks.append(Mark(float(diagnosis.turning_epoch), f"turns at {written_place(diagnosis.turning_epoch)}"))
    return line_chart(
        "curve",
        curves.metric,
        f"{curves.metric} against {curves.axis}, as logged, and smoothed as it is judged.",
        "No interval is drawn: the table has that of the depth.",
        lines,
        x_axis=Axis(curves.axis, log=bool(epochs[0] > 0), format="~s"),
        y_axis=Axis(curves.metric, domain=_range(np.concatenate([line.mean for line in lines]))),
        subtitle=diagnosis.verdict if len(curves.runs) == 1 else f"{diagnosis.verdict}, {len(curves.runs)} runs",
        marks=marks,
    )


def _drawn(curves: LoggedCurves) -> tuple[Sequence[str], np.ndarray, np.ndarray]:
    """Return what can be drawn: runs that did not diverge, or all of them up to where the first one did."""
    finite = np.isfinite(curves.values)
    whole = finite.all(axis=1)
    if whole.any():
        names = [run for run, kept in zip(curves.runs, whole, strict=True) if kept]
        return names, curves.epochs, curves.values[whole]
    seen = finite.all(axis=0)
    return curves.runs, curves.epochs[seen], curves.values[:, seen]


def _range(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def short_name(run: str) -> str:
    """Return the last two parts of a path: enough to tell runs apart at the end of a line.

    Example:
        >>> short_name("/data/runs/seed0/metrics.csv"), short_name("a.csv")
        ('seed0/metrics.csv', 'a.csv')
    """
    return "/".join(run.replace("\\", "/").split("/")[-2:])


def _numbers(diagnosis: Diagnosis) -> Table:
    def between(interval: tuple[float, float] | None) -> str:
        return "" if interval is None else f"{written(interval[0], '.4g')} to {written(interval[1], '.4g')}"

    span = diagnosis.turning_epoch_ci
    turn = "" if span is None else f"{written_place(span[0])} to {written_place(span[1])}"
    level = f"{100 * diagnosis.level:g} % interval"
    rows = [
        (f"turning {axis_noun(diagnosis.axis)}", written_place(diagnosis.turning_epoch), turn),
        ("best, smoothed", written(diagnosis.best, ".4g"), ""),
        ("at the end, smoothed", written(diagnosis.final, ".4g"), ""),
        ("depth, their difference corrected for noise", written(diagnosis.depth, ".4g"), between(diagnosis.depth_ci)),
        ("what matters", f"{diagnosis.delta:.4g}", ""),
    ]
    if diagnosis.p_value is not None:
        rows.append(("p, that only noise rises", f"{diagnosis.p_value:.3g}", ""))
    return Table("The curve", ("", "value", level), rows)


def _runs(curves: LoggedCurves) -> Table:
    rows = [
        (run, written(values[np.isfinite(values)][-1], ".4g") if np.isfinite(values).any() else NONE)
        for run, values in zip(curves.runs, curves.values, strict=True)
    ]
    return Table("Runs", ("run", "last value, as logged"), rows, wraps=True)
