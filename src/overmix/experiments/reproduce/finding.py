"""What one setting of an experiment found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from overmix.diagnose.interval import t_interval
from overmix.experiments.reproduce.check import Check


@dataclass(frozen=True)
class Picture:
    """Curves to draw: one mean with its interval per series.

    Attributes:
        name: stem of the file.
        title: what is drawn, with its unit.
        x_title: of the horizontal axis, which is logarithmic.
        series: per name, ``x``, ``mean``, and ``lo`` and ``hi`` where there is an interval.
        log_y: whether the vertical axis is logarithmic too.
        reference: a level to mark, such as a floor.
    """

    name: str
    title: str
    x_title: str
    series: Mapping[str, Mapping[str, Sequence[float]]]
    log_y: bool = False
    reference: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, numbers to five digits: a picture shows no more."""
        series = {
            name: {key: [float(f"{value:.5g}") for value in values] for key, values in line.items()}
            for name, line in self.series.items()
        }
        return {**self.__dict__, "series": series}


@dataclass(frozen=True)
class Surface:
    """A two-dimensional slice of the loss to draw, of one seed.

    Attributes:
        name: stem of the file.
        title: what is drawn.
        seed: of the run.
        steps: along either direction.
        loss: less that of the solution, one row per step along the first direction.
        top: where the colours end, the same for surfaces that are compared.
    """

    name: str
    title: str
    seed: int
    steps: Sequence[float]
    loss: Sequence[Sequence[float]]
    top: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; a row of losses is a line of text, four digits each, to keep the file small."""
        rows = [" ".join(f"{value:.4g}" for value in row) for row in self.loss]
        steps = [float(f"{step:.5g}") for step in self.steps]
        return {**self.__dict__, "steps": steps, "loss": rows, "top": float(f"{self.top:.4g}")}


@dataclass(frozen=True)
class Finding:
    """The outcome of a setting.

    Attributes:
        set_up: data, model and training in a few words.
        n: seeds.
        checks: per claim, what it rests on.
        rows: numbers by condition, for a table.
        pictures: what is worth looking at.
    """

    set_up: str
    n: int
    checks: dict[str, list[Check]]
    rows: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[Picture | Surface] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "set_up": self.set_up,
            "n": self.n,
            "checks": {claim: [check.to_dict() for check in checks] for claim, checks in self.checks.items()},
            "rows": self.rows,
            "pictures": [picture.to_dict() for picture in self.pictures],
        }


def line(x: Any, values: np.ndarray) -> dict[str, list[float]]:
    """Return the mean over seeds and its interval at each point, from values of shape (seeds, points)."""
    mean = values.mean(axis=0)
    intervals = [t_interval(column) for column in values.T]
    points = {"x": [float(at) for at in x], "mean": [float(value) for value in mean]}
    if all(interval is not None for interval in intervals):
        points["lo"] = [interval[0] for interval in intervals if interval is not None]
        points["hi"] = [interval[1] for interval in intervals if interval is not None]
    return points


def mean_check(what: str, values: np.ndarray, side: Any, bound: float, unit: Any = "number") -> Check:
    """Return the check of a mean over seeds."""
    return Check(what, float(values.mean()), t_interval(values), side, bound, unit, len(values))
