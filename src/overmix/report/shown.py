"""A finished study with what charts and page add to it: means with intervals, and how each condition is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from overmix._typing import LabelKind
from overmix.diagnose import Advice
from overmix.report.bands import diverged_replicas, t_bands
from overmix.report.look import Stroke, assign_strokes
from overmix.report.metrics import Metric, error_metric
from overmix.study import StudyResult, Summary
from overmix.study.analyse.record import ConditionSummary, Estimate, PairedDifference, SwitchSearch

MAX_UNFOLDED = 6
"""A search of no more conditions shows them all."""

_ERRORS: dict[LabelKind, str] = {
    "classes": "Share of test samples predicted wrongly.",
    "rows": "Share of the test samples' labels predicted wrongly.",
    "values": "Squared error on the test samples over the variance of the training labels: 1 is as good as their mean.",
    "views": "Mean loss of finding each test sample's view among about 64, and each view's sample.",
}


@dataclass(frozen=True)
class Report:
    """Everything that the charts and the page show.

    Args:
        spec: the resolved study.
        summary: what it shows.
        curves: one row per condition, seed and evaluated epoch.
        bands: rows (condition, epoch, metric, mean, lo, hi), see :func:`overmix.report.bands.t_bands`.
        diverged: condition and seed of the runs that did.
    """

    spec: Mapping[str, Any]
    summary: Summary
    curves: pl.DataFrame
    bands: pl.DataFrame
    diverged: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """Name of the study."""
        return str(self.spec.get("name") or "study")

    @property
    def conditions(self) -> tuple[ConditionSummary, ...]:
        """The study's conditions, in its order."""
        return self.summary.conditions

    @property
    def first(self) -> tuple[ConditionSummary, ...]:
        """The conditions that are shown at first: in a search of many, those that answer it; the page folds the rest.

        Plain training, mixing to the end, mixing that is switched off by itself, the best switch of the grid, and what
        is recommended.
        """
        if self.search is None or len(self.conditions) <= MAX_UNFOLDED:
            return self.conditions
        roles = {
            role: next((c.name for c in self.conditions if c.role == role), "") for role in ("erm", "mixup", "auto")
        }
        names = {*roles.values(), self.advice.condition}
        best = self.search.best_at
        return tuple(c for c in self.conditions if c.name in names or (c.role == "switched" and c.switch_epoch == best))

    @property
    def comparisons(self) -> tuple[PairedDifference, ...]:
        """Paired differences of final errors."""
        return self.summary.comparisons

    @property
    def advice(self) -> Advice:
        """What to do."""
        return self.summary.advice

    @property
    def gain(self) -> Estimate:
        """ERM's final error minus that of the condition that the advice names: positive is better."""
        return Estimate.of(self.advice.gain_over_erm, self.advice.gain_ci)

    @property
    def search(self) -> SwitchSearch | None:
        """The search for the switch, if the study is one."""
        return self.summary.search

    @property
    def floor(self) -> Mapping[str, float]:
        """Per condition that mixes to the end, the lowest training loss that any model can reach."""
        return self.summary.floor

    @property
    def strokes(self) -> Mapping[str, Stroke]:
        """How each condition is drawn, by its name."""
        strokes: Sequence[Stroke] = assign_strokes(condition.role for condition in self.conditions)
        return {condition.name: stroke for condition, stroke in zip(self.conditions, strokes, strict=True)}

    @property
    def epochs(self) -> int:
        """The last epoch of the study."""
        return int(self.curves["epoch"].cast(pl.Int64).to_numpy().max()) if self.curves.height else 1

    @property
    def n_seeds(self) -> int:
        """The largest number of seeds that a condition has."""
        return max((c.n_seeds for c in self.conditions), default=0)

    @property
    def error(self) -> Metric:
        """How the test error is written."""
        finals = [c.final.value for c in self.conditions if c.final.value is not None]
        return error_metric(finals, self.summary.labels)

    @property
    def train_error(self) -> Metric:
        """How the error on the training samples is written."""
        digits = 1 if self.error.is_share else self.error.digits
        return replace(self.error, key="train_error", label="Error on clean training data", digits=digits)

    @property
    def error_words(self) -> str:
        """What the test error is."""
        return _ERRORS[self.summary.labels]


def report_of(result: StudyResult) -> Report:
    """Return what is shown of a study's result."""
    return Report(
        spec=result.spec,
        summary=result.summary,
        curves=result.curves,
        bands=t_bands(result.curves),
        diverged=tuple((str(c), int(s)) for c, s in diverged_replicas(result.curves).rows()),
    )
