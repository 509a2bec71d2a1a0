"""The charts of the random-feature theory: risk, bound, switch time, modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.diagnose.interval import t_band
from overmix.report.charts import Chart
from overmix.report.charts.axis import Axis
from overmix.report.charts.line_chart import Mark, line_chart
from overmix.report.charts.series import DASHED, Series

_STEPS = Axis("step", log=True, format="~s")
_BAND = "Bands: 95 % t-interval over seeds."


def risk_chart(
    times: Float[np.ndarray, " times"],
    risks: Mapping[Any, Float[np.ndarray, "seeds times"]],
    names: Mapping[Any, str],
    key: str,
    teacher: str,
    n: int,
) -> Chart:
    """Draw the test risk of every condition under one teacher, with Mixup's turning point."""
    series = []
    for condition, rows in risks.items():
        dash = DASHED if condition == "erm" else ()
        series.append(Series(names[condition], times, rows.mean(axis=0), *t_band(rows), dash=dash))
    start = max(float(rows[:, 0].mean()) for rows in risks.values())
    mixup = risks["mixup"].mean(axis=0)
    k = int(np.argmin(mixup))
    marks = [Mark(float(times[k]), f"Mixup is lowest at {times[k]:,.0f}")] if mixup[-1] > 1.02 * mixup[k] else []
    tops = [float(rows.mean(axis=0)[times >= times[-1] ** 0.25].max()) for rows in risks.values()]
    top = min(1.1 * max(tops), max(start, 0.05))
    return line_chart(
        f"risk-{key}",
        f"Test risk, {teacher}",
        "Mean squared error on real samples against training steps; the frame leaves out the untrained student.",
        _BAND,
        series,
        x_axis=_STEPS,
        y_axis=Axis("Test risk / variance of the labels", domain=(0.0, top)),
        subtitle=f"{teacher}, {n} seeds",
        marks=marks,
    )


def bound_chart(
    times: Float[np.ndarray, " times"], parts: Mapping[str, Float[np.ndarray, "seeds times"]], n: int
) -> Chart:
    """Draw the risk under its bound, with the bound's growing and decaying term."""
    names = {"risk": "risk", "bound": "bound", "decaying": "decaying term", "growing": "growing term"}
    # Means over seeds of the logarithm: the bound of one unlucky draw is orders of magnitude above the others.
    series = [Series(names[k], times, np.exp(np.log(np.maximum(parts[k], 1e-300)).mean(axis=0))) for k in names]
    visible = [line.mean[line.mean > 1e-6] for line in series]
    low = min(float(v.min()) for v in visible if len(v))
    high = max(float(v.max()) for v in visible if len(v))
    return line_chart(
        "bound",
        "The risk and its bound",
        "Risk of Mixup as gradient flow, the upper bound on it, and the two terms of the bound that move: what is not "
        "learnt yet, and the noise taken up. Both axes are logarithmic; geometric means over seeds.",
        "No bands: the bound differs between seeds by orders of magnitude.",
        series,
        x_axis=_STEPS,
        y_axis=Axis("Risk / variance of the labels", log=True, domain=(low / 2, 3 * high), format=".0e"),
        subtitle=f"generic teacher, {n} seeds",
    )


def switch_chart(switches: Float[np.ndarray, " switches"], final: Float[np.ndarray, "seeds switches"], n: int) -> Chart:
    """Draw the final risk against the switch time, between the levels of ERM and of Mixup to the end."""
    mean, (low, high) = final.mean(axis=0), t_band(final)
    keep = switches > 0
    after = switches[keep]
    level = np.ones(len(after))
    k = int(np.argmin(mean))
    series = [
        Series("never Mixup", after, mean[0] * level, dash=DASHED),
        Series("Mixup to the end", after, mean[-1] * level, dash=DASHED),
        Series("switched", after, mean[keep], low[keep], high[keep]),
    ]
    values = np.concatenate([line.mean for line in series])
    room = 0.35 * max(float(np.ptp(values)), 1e-9)
    return line_chart(
        "switch-time",
        "When to switch",
        "Test risk at the end of the training against the step at which Mixup was switched to ERM, computed without "
        "training. Dashed: ERM from the start, and Mixup to the end.",
        _BAND,
        series,
        x_axis=Axis("switch step", log=True, format="~s"),
        y_axis=Axis(
            "Final test risk / variance of the labels", domain=(max(0.0, values.min() - room), values.max() + room)
        ),
        subtitle=f"generic teacher, {n} seeds",
        marks=[Mark(float(switches[k]), f"lowest at {switches[k]:,.0f}")] if switches[k] > 0 else [],
    )


def modes_chart(eigenvalues: Float[np.ndarray, " modes"], times: Float[np.ndarray, " modes"]) -> Chart:
    """Draw when each mode should stop, against its eigenvalue."""
    turns = np.isfinite(times) & (times > 0) & (eigenvalues > 0)
    order = np.argsort(eigenvalues[turns])
    places, steps = eigenvalues[turns][order], times[turns][order]
    if not turns.any():
        places, steps = np.ones(1), np.full(1, np.nan)
    return line_chart(
        "modes",
        "When each mode turns",
        "Step at which each eigenmode is nearest to the clean solution, against its eigenvalue. Modes of small "
        "eigenvalue turn last, and their share of the noise is divided by that eigenvalue.",
        "One seed. Modes that never turn are left out.",
        [Series("stopping step", places, steps)],
        x_axis=Axis("eigenvalue", log=True, format=".0e"),
        y_axis=Axis("Best stopping step of the mode", log=True, format="~s"),
        points=True,
        joined=False,
        subtitle="generic teacher, first seed",
    )
