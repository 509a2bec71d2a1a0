"""A metric of one or several runs, as it was read from logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.diagnose.curve import diagnose_curve
from overmix.diagnose.diagnosis import Diagnosis
from overmix.diagnose.logs.kinds import MetricKind, kind_of
from overmix.diagnose.practical import Unit
from overmix.errors import ConfigError

_UNITS: dict[Unit, str] = {
    "fraction": "shares of 1",
    "percent": "percent",
    "decibel": "decibels",
    "value": "in its own unit",
}

_SHARES_OF_SAMPLES = ("accuracy", "error rate")


@dataclass(frozen=True)
class LoggedCurves:
    """A metric, read from logs.

    Attributes:
        metric: its name in the logs.
        axis: name of the horizontal axis; ``"row"`` if rows were counted.
        epochs: shape (epochs,), increasing.
        values: shape (runs, epochs), as logged.
        runs: names of the runs.
        unit: of the values: shares of 1, percent, or their own.
        others: held-out metrics of the logs that were not looked at; empty if the metric was asked for.
        notes: what a reader should know of how the logs were read.
    """

    metric: str
    axis: str
    epochs: Float[np.ndarray, " epochs"]
    values: Float[np.ndarray, "runs epochs"]
    runs: tuple[str, ...]
    unit: Unit
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def describe(self, *, lower_is_better: bool) -> str:
        """Say what is judged: the metric, its kind, direction and unit, and how much of it there is."""
        told = [self.kind.name] if self.kind and self.kind.name != self.metric else []
        told += ["lower is better" if lower_is_better else "higher is better", _UNITS[self.unit]]
        points = f"{len(self.epochs)} points" if len(self.runs) == 1 else f"{len(self.epochs)} points each"
        return f"{self.metric} ({', '.join(told)}) by {self.axis}, {points}"

    def to_dict(self) -> dict[str, Any]:
        """Return what was read, without the values, ready for JSON."""
        return {
            "metric": self.metric,
            "kind": None if self.kind is None else self.kind.name,
            "axis": self.axis,
            "runs": list(self.runs),
            "not_looked_at": list(self.others),
            "notes": list(self.notes),
        }

    @property
    def kind(self) -> MetricKind | None:
        """What the metric's name says that it measures."""
        return kind_of(self.metric)

    def diagnose(self, *, lower_is_better: bool | None = None, n_test: int | None = None) -> Diagnosis:
        """Judge them with `diagnose_curve`, in the direction that is given or that the metric's kind has.

        Args:
            lower_is_better: the direction; None reads it from the metric's name.
            n_test: number of samples behind each value of an error rate or an accuracy.

        Raises:
            ConfigError: if the name does not say it, or ``n_test`` is given for what is no share of samples.
        """
        if n_test is not None and (self.kind is None or self.kind.name not in _SHARES_OF_SAMPLES):
            raise ConfigError("n_test", n_test, f"leave it out: {self.metric!r} is no accuracy or error rate by name")
        if lower_is_better is None:
            if self.kind is None:
                remedy = "the name does not say which way is better: give --lower-is-better or --higher-is-better"
                raise ConfigError("metric", self.metric, remedy)
            lower_is_better = self.kind.better == "lower"
        return diagnose_curve(
            self.epochs,
            self.values,
            lower_is_better=lower_is_better,
            unit=self.unit,
            n_test=n_test,
            axis=self.axis,
        )
