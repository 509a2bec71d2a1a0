"""A finished study, read into the typed form that charts and page are made from.

Whatever a small or broken study lacks (intervals with one seed, validation values, a diverged condition's errors) is
``None`` here, and every later step copes with ``None``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol

import polars as pl

from overmix.report.bands import complete_bands, diverged_replicas
from overmix.report.look import Stroke, assign_strokes


class StudyLike(Protocol):
    """What a report needs of a study's result; ``overmix.study.StudyResult`` has it."""

    @property
    def spec(self) -> dict[str, Any]:
        """The resolved study configuration."""

    @property
    def summary(self) -> dict[str, Any]:
        """The content of ``summary.json``."""

    @property
    def curves(self) -> pl.DataFrame:
        """One row per (condition, seed, epoch)."""

    @property
    def bands(self) -> pl.DataFrame | None:
        """Rows (condition, epoch, metric, mean, lo, hi), or None to have t-intervals computed."""

    @property
    def floor(self) -> dict[str, float] | None:
        """Loss floor per condition that mixes."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; None where unknown."""

    value: float | None = None
    lo: float | None = None
    hi: float | None = None


@dataclass(frozen=True)
class Condition:
    """One entry of the study's ``compare``; errors are fractions.

    ``decided``: switch epochs of runs that decided. ``checkpoint_gain``: error at the end minus that of the checkpoints
    that the validation split chose, after ``checkpoint_epochs``. ``family``: shared by conditions that differ in their
    budget, ``epochs``, alone. ``lowest_loss``: each run's lowest training loss, after ``loss_epochs``; ``loss_error``:
    the test error there. ``accumulated_lr``: the sum of the learning rates of all steps up to each evaluated epoch.
    """

    name: str
    role: str
    stroke: Stroke
    n_seeds: int
    n_diverged: int
    verdict: str | None
    final: Estimate
    lowest: Estimate
    turning_epoch: Estimate
    depth: Estimate
    delta: float | None
    method: str | None
    switch_epoch: float | None
    cross_entropy: Estimate
    brier: Estimate
    ece: Estimate
    steps: float | None
    seconds: float | None
    decided: tuple[int, ...] = ()
    checkpoint_gain: Estimate = field(default_factory=Estimate)
    checkpoint_epochs: tuple[int, ...] = ()
    epochs: int | None = None
    family: str = ""
    lowest_loss: float | None = None
    loss_error: Estimate = field(default_factory=Estimate)
    loss_epochs: tuple[int, ...] = ()
    accumulated_lr: tuple[float, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """A paired difference of final errors, a minus b."""

    a: str
    b: str
    difference: Estimate
    n: int | None
    p_holm: float | None


@dataclass(frozen=True)
class Advice:
    """What to do. ``gain`` is ERM's final error minus that of the condition ``gain_of``: positive is better."""

    kind: str
    sentence: str
    switch_epoch: float | None = None
    safe: tuple[float, float] | None = None
    gain: Estimate = field(default_factory=Estimate)
    gain_of: str | None = None
    chosen_on: str | None = None
    candidates: int = 0
    note: str = ""
    code: str | None = None


@dataclass(frozen=True)
class Choice:
    """Where a policy switches each seed's run of Mixup, and what that is behind the best switch; errors are fractions.

    ``trained``: these runs were trained; else they are read off the search. ``cost``: in runs.
    """

    policy: str
    switch_at: tuple[int, ...]
    error: float | None
    regret: Estimate
    cost: float | None
    trained: bool = False


@dataclass(frozen=True)
class Search:
    """A search for the switch: the best one of its grid, and what policies choose; over ``n_seeds`` seeds."""

    best_at: int
    best_error: float
    choices: tuple[Choice, ...]
    n_seeds: int


@dataclass(frozen=True)
class Report:
    """Everything that the charts and the page show."""

    name: str
    spec: Mapping[str, Any]
    summary: Mapping[str, Any]
    conditions: tuple[Condition, ...]
    comparisons: tuple[Comparison, ...]
    advice: Advice
    best: str | None
    curves: pl.DataFrame
    bands: pl.DataFrame
    own_bands: frozenset[str]
    diverged: tuple[tuple[str, int], ...]
    floor: Mapping[str, float]
    search: Search | None = None

    @property
    def epochs(self) -> int:
        """The last epoch of the study."""
        return int(self.curves["epoch"].cast(pl.Int64).to_numpy().max()) if self.curves.height else 1

    @property
    def n_seeds(self) -> int:
        """The largest number of seeds that a condition has."""
        return max((c.n_seeds for c in self.conditions), default=0)

    @property
    def digits(self) -> int:
        """Decimals for errors in percent: one, or two where errors are below 2 %."""
        finals = [c.final.value for c in self.conditions if c.final.value is not None]
        return 1 if not finals or max(finals) >= 0.02 else 2


def number_or_none(x: object) -> float | None:
    """Return x as a float, or None unless it is a finite number."""
    if isinstance(x, bool) or not isinstance(x, Real) or not math.isfinite(x):
        return None
    return float(x)


def _pair(x: object) -> tuple[float, float] | None:
    if not isinstance(x, list | tuple) or len(x) != 2:
        return None
    lo, hi = number_or_none(x[0]), number_or_none(x[1])
    return None if lo is None or hi is None else (lo, hi)


def _estimate(row: Mapping[str, Any], key: str, ci: str | None = None) -> Estimate:
    lo, hi = _pair(row.get(ci or f"{key}_ci")) or (None, None)
    return Estimate(number_or_none(row.get(key)), lo, hi)


def _condition(row: Mapping[str, Any], stroke: Stroke) -> Condition:
    checkpoint = row.get("best_checkpoint") or {}
    by_loss = row.get("lowest_loss") or {}
    return Condition(
        name=str(row["name"]),
        role=str(row.get("role", "other")),
        stroke=stroke,
        n_seeds=int(row.get("n_seeds") or 0),
        n_diverged=int(row.get("n_diverged") or 0),
        verdict=row.get("verdict"),
        final=_estimate(row, "final_error"),
        lowest=_estimate(row, "lowest_error"),
        turning_epoch=_estimate(row, "turning_epoch"),
        depth=_estimate(row, "depth"),
        delta=number_or_none(row.get("delta")),
        method=row.get("method"),
        switch_epoch=number_or_none(row.get("switch_epoch")),
        cross_entropy=_estimate(row, "final_cross_entropy"),
        brier=_estimate(row, "final_brier"),
        ece=_estimate(row, "final_ece"),
        steps=number_or_none(row.get("steps")),
        seconds=number_or_none(row.get("seconds")),
        decided=tuple(int(epoch) for epoch in row.get("decided") or ()),
        checkpoint_gain=_estimate(checkpoint, "gain"),
        checkpoint_epochs=tuple(int(epoch) for epoch in checkpoint.get("epochs") or ()),
        epochs=row.get("epochs"),
        family=str(row.get("family") or ""),
        lowest_loss=number_or_none(by_loss.get("loss")),
        loss_error=_estimate(by_loss, "error"),
        loss_epochs=tuple(int(epoch) for epoch in by_loss.get("epochs") or ()),
        accumulated_lr=tuple(float(total) for total in row.get("accumulated_lr") or ()),
    )


def _comparison(row: Mapping[str, Any]) -> Comparison:
    n = number_or_none(row.get("n"))
    return Comparison(
        a=str(row["a"]),
        b=str(row["b"]),
        difference=_estimate(row, "difference", "ci"),
        n=None if n is None else int(n),
        p_holm=number_or_none(row.get("p_holm")),
    )


def _advice(row: Mapping[str, Any]) -> Advice:
    return Advice(
        kind=str(row.get("kind", "none")),
        sentence=str(row.get("sentence") or "No advice: this study alone does not support any."),
        switch_epoch=number_or_none(row.get("switch_epoch")),
        safe=_pair(row.get("safe")),
        gain=_estimate(row, "gain_over_erm", "gain_ci"),
        gain_of=row.get("gain_of"),
        chosen_on=row.get("chosen_on"),
        candidates=int(row.get("candidates") or 0),
        note=str(row.get("note") or ""),
        code=row.get("code") or None,
    )


def _search(row: Mapping[str, Any]) -> Search:
    return Search(
        best_at=int(row["oracle"]["switch_at"]),
        best_error=float(row["oracle"]["error"]),
        choices=tuple(
            Choice(
                policy=str(choice["policy"]),
                switch_at=tuple(int(epoch) for epoch in choice["switch_at"]),
                error=number_or_none(choice["error"]),
                regret=_estimate(choice, "regret"),
                cost=number_or_none(choice["cost"]),
                trained=bool(choice["trained"]),
            )
            for choice in row["rows"]
        ),
        n_seeds=len(row["seeds"]),
    )


def read(result: StudyLike) -> Report:
    """Read a study's result for showing; the order of conditions is that of the summary."""
    rows = result.summary.get("conditions", [])
    strokes = assign_strokes(str(row.get("role", "other")) for row in rows)
    bands, own = complete_bands(result.bands, result.curves)
    diverged = diverged_replicas(result.curves)
    return Report(
        name=str(result.spec.get("name") or "study"),
        spec=result.spec,
        summary=result.summary,
        conditions=tuple(_condition(row, stroke) for row, stroke in zip(rows, strokes, strict=True)),
        comparisons=tuple(_comparison(row) for row in result.summary.get("comparisons") or []),
        advice=_advice(result.summary.get("advice") or {}),
        best=result.summary.get("best"),
        curves=result.curves,
        bands=bands,
        own_bands=own,
        diverged=tuple((str(c), int(s)) for c, s in diverged.rows()),
        floor=dict(result.floor or {}),
        search=_search(result.summary["policies"]) if result.summary.get("policies") else None,
    )
