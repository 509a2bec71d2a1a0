"""The picture of one decision: what the probes promised, where the run's own curve stood, what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from overmix.diagnose.numerals import written
from overmix.errors import ConfigError, DataError
from overmix.report.charts import Chart
from overmix.report.charts.axis import Axis
from overmix.report.charts.chart import specification
from overmix.report.charts.frame import log_ticks
from overmix.report.charts.layers import Layer, bounds, colored, dots, finished, inked, reference
from overmix.report.figures import light, to_png, to_svg
from overmix.report.look import assign_strokes
from overmix.report.table import Table
from overmix.study.store.files import write_bytes

_ROLES = ("mixup", "switched")
_CURVE, _PROBE = "this run, mixing", "probe: a short tail without mixing"


def decision_chart(decision: Mapping[str, Any]) -> Chart:
    """Draw a decision: held-out Brier score against the epochs before the switch.

    Args:
        decision: ``run.decision.to_dict()``, or the same read from JSON.

    Raises:
        DataError: if nothing was seen, as with a fixed schedule: there is nothing to draw.

    Example:
        >>> from overmix.switch import Probe
        >>> from overmix.switch.outcome import Outcome
        >>> probes = (Probe(4, 2, (0.2, 0.4)), Probe(8, 2, (0.1, 0.2)))
        >>> decision_chart(Outcome(16, 8, "the best of all", probes, (), spent=20).to_dict()).alt
        'Mixup off after 8 of 16 epochs. Brier score after a tail: 0.3000 at 4, 0.1500 at 8. Price: 1.25 runs.'
    """
    # A tail that diverged has no score: it is in no picture.
    probes = [_point(row) for row in decision["probes"] if row["score"] is not None]
    looks = [
        {"condition": _CURVE, "epoch": seen["epoch"] + 1, "score": seen["score"]}
        for seen in decision["observations"]
        if seen["split"] == "val" and seen["score"] is not None
    ]
    if not probes and not looks:
        raise DataError(
            "decision: it was fixed before the training, so that nothing was seen: there is nothing to draw"
        )
    # A probe before any training has no place on a logarithmic axis, and is said in the table.
    shown = [point for point in probes if point["epoch"] > 0]
    first, last = min([p["epoch"] for p in (*shown, *looks)], default=1), decision["epochs"]
    ticks, name = log_ticks(first, last), _score_name(decision)
    epochs = f"epochs of {decision['what']}"
    x = Axis(epochs, log=True, domain=(first, last), format=",d", ticks=ticks).horizontal()
    y = Axis(name, domain=_range(shown, looks), format=None).vertical("score")
    pale = {"opacity": {"condition": {"test": "datum.worse", "value": 0.35}, "value": 1}}
    scores = dots(y)
    layers: list[Layer] = [
        {"data": {"values": looks}, "mark": {"type": "line", "style": "line", "clip": True}, "encoding": {"y": y}},
        {"data": {"values": shown}, **bounds(y, area=False, lo="low", hi="high")},
        {"data": {"values": shown}, **scores, "encoding": scores["encoding"] | pale},
    ]
    at = decision["switch_at"]
    if at is not None and first <= at <= last:
        layers.append(inked(reference({}, [{"epoch": at}])))
    headline, alt = decision["headline"], _alt(decision, probes)
    return Chart(
        name="decision",
        title=headline,
        caption=f"{decision['reason']}. Lower is better; pale probes are worse than the best beyond chance.",
        note=f"Bars: two standard errors of the difference to the best probe; {decision['n']} held-out samples.",
        alt=alt,
        spec=specification(
            alt,
            headline,
            (560, 300),
            subtitle=f"{name} on held-out samples",
            encoding={"x": x},
            layer=finished(layers, colored((_CURVE, _PROBE), legend={"orient": "top", "title": None})),
        ),
        table=Table(
            headline,
            [epochs, f"{name} after the tail", "behind the best", "clearly worse"],
            [_row(probe) for probe in probes],
        ),
    )


def save_decision(decision: Mapping[str, Any], path: str | Path) -> Path:
    """Write :func:`decision_chart` as a picture, and return its path.

    Args:
        decision: ``run.decision.to_dict()``.
        path: its ending says what is written, ``.svg`` or ``.png``.

    Raises:
        ConfigError: for another ending.
        DataError: if there is nothing to draw.
    """
    target = Path(path)
    if target.suffix not in (".svg", ".png"):
        raise ConfigError("path", str(path), "give it the ending .svg or .png")
    svg = to_svg(light(decision_chart(decision), assign_strokes(_ROLES)))
    write_bytes(target, svg.encode() if target.suffix == ".svg" else to_png(svg))
    return target


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    error = row["standard_error"] or 0.0
    return {
        "condition": _PROBE,
        "epoch": row["epoch"],
        "score": row["score"],
        "behind": row["behind"],
        "low": row["score"] - 2 * error,
        "high": row["score"] + 2 * error,
        "worse": row["worse"],
    }


def _range(probes: list[dict[str, Any]], looks: list[dict[str, Any]]) -> tuple[float, float]:
    """Return the vertical range: all probes, and the own curve from its minimum on; its descent may leave the frame."""
    curve = np.array([look["score"] for look in looks])
    after = curve[curve.argmin() :].tolist() if len(curve) else []
    seen = [*after, *(p["low"] for p in probes), *(p["high"] for p in probes)]
    low, high = min(seen), max(seen)
    room = max(high - low, 0.02 * abs(high), 1e-9)
    bottom = low - 0.2 * room
    return bottom if low < 0 else max(0.0, bottom), high + 0.4 * room


def _score_name(decision: Mapping[str, Any]) -> str:
    name = str(decision["score"])
    return name[0].upper() + name[1:]


def _alt(decision: Mapping[str, Any], probes: list[dict[str, Any]]) -> str:
    said = ", ".join(f"{written(p['score'], '.4f')} at {p['epoch']}" for p in probes)
    tails = f" {_score_name(decision)} after a tail: {said}." if said else ""
    return f"{decision['headline']}.{tails} Price: {decision['cost']:.2f} runs."


def _row(point: Mapping[str, Any]) -> list[str]:
    return [
        str(point["epoch"]),
        written(point["score"], ".4f"),
        f"{point['behind']:.4f}",
        "yes" if point["worse"] else "no",
    ]
