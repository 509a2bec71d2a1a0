"""What a study's runs give the advice to judge by: differences, and what is known of each condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from overmix.diagnose import Comparison, Diagnosis, Evidence, paired_difference, paired_values
from overmix.diagnose.practical import practical_size
from overmix.study.analyse.cell_result import CellResult, ConditionResult
from overmix.study.analyse.record import BestCheckpoint, Estimate
from overmix.study.plan.trainings import pool_key
from overmix.study.spec.plain import canonical
from overmix.study.spec.roles import switch_epoch_of

_LAST = 0.25
"""Share of a training, at its end, over which a curve that still falls is seen to fall."""

SCORES = {"Brier score": "test_brier", "cross-entropy": "test_cross_entropy"}
"""What judges probabilities, in the order in which it is asked."""

Pairs = dict[tuple[str, str], Comparison]


def mean_cost(condition: ConditionResult) -> float:
    """Return the epochs trained to decide and to end so, over those of one run."""
    return float(np.mean([cell.cost for cell in condition.cells]))


def mean_steps(condition: ConditionResult) -> float:
    """Return the optimizer steps of a run, those that it took to decide included."""
    return condition.cells[0].steps_per_epoch * condition.epochs * mean_cost(condition)


@dataclass(frozen=True)
class Stopping:
    """The checkpoints that held-out samples choose, and what going on beyond them loses."""

    record: BestCheckpoint
    loss: Comparison


def best_checkpoint(alive: Sequence[CellResult]) -> Stopping | None:
    """Return how the checkpoints do that have each run's lowest score on its validation split (Brier for classes).

    Only epochs that were looked at are candidates. ``None`` without a validation split, or a run.
    """
    if not alive or not alive[0].has_validation:
        return None
    best = [int(np.argmin(np.nan_to_num(cell.values[f"val_{cell.score}"], nan=np.inf))) for cell in alive]
    wrong = np.stack([cell.wrong[at] for cell, at in zip(alive, best, strict=True)])
    loss = paired_difference(np.stack([cell.wrong[-1] for cell in alive]), wrong)
    record = BestCheckpoint(
        epochs=tuple(int(cell.epochs[at]) for cell, at in zip(alive, best, strict=True)),
        error=float(wrong.mean()),
        gain=Estimate.of(loss.difference, loss.ci),
    )
    return Stopping(record, loss)


def evidence_of(
    condition: ConditionResult,
    diagnosis: Diagnosis | None,
    stop: Stopping | None,
    *,
    metric: Literal["error", "balanced_error"] = "error",
) -> Evidence:
    """Return what is known of a condition.

    Held-out errors are plain ones: where the balanced error decides they choose nothing.
    """
    alive = condition.alive
    held_out = metric == "error" and bool(alive) and all(cell.has_validation for cell in alive)
    return Evidence(
        condition.name,
        condition.role,
        switch_epoch_of(condition.spec, condition.epochs) if condition.role == "switched" else None,
        diagnosis,
        recipe=condition.spec.recipe_name,
        family=canonical(condition.recipe.written),
        validation_error=float(np.mean([cell.values["val_error"][-1] for cell in alive])) if held_out else None,
        steps=mean_steps(condition),
        decided=tuple(cell.switch_at for cell in alive if cell.switch_at is not None),
        epochs=condition.epochs,
        fall=fall_at_the_end(alive),
        stopping=None if stop is None else stop.loss,
        stopping_epochs=() if stop is None else stop.record.epochs,
        scores={
            name: float(np.mean([cell.values[key][-1] for cell in alive]))
            for name, key in SCORES.items()
            if alive and not alive[0].is_without(key)
        },
    )


def fall_at_the_end(alive: Sequence[CellResult]) -> Comparison | None:
    """Return the error before the last quarter of the training minus that at its end, seeds paired.

    ``None`` where it falls by less than matters, or the error on clean training samples no longer falls by that: then
    the samples are fitted, and what still falls is the learning rate.
    """
    if not alive or len(alive[0].epochs) < 2:
        return None
    epochs = alive[0].epochs
    before = int(np.abs(epochs - (1 - _LAST) * epochs[-1]).argmin())
    if before == len(epochs) - 1:
        return None
    unit = alive[0].unit
    fitted = np.array([cell.values["train_error"][[before, -1]] for cell in alive]).mean(axis=0)
    wrong = np.stack([cell.wrong[[before, -1]] for cell in alive])
    errors = wrong.mean(axis=(0, 2))
    for earlier, end in (fitted, errors):
        if not earlier - end >= practical_size(float(end), unit):
            return None
    return paired_difference(wrong[:, 0], wrong[:, 1])


def compare(conditions: Sequence[ConditionResult]) -> Pairs:
    """Compare every pair that was tested on the same samples, on the seeds that both have."""
    return {
        names: paired_difference(*(np.stack([cell.wrong[-1] for cell in cells]) for cells in zip(*twins, strict=True)))
        for names, twins in _twins(conditions)
    }


def compare_scores(conditions: Sequence[ConditionResult]) -> dict[str, Pairs]:
    """Compare the same pairs by what judges probabilities, at the end."""
    return {
        name: {
            names: paired_values(
                *(np.array([cell.values[key][-1] for cell in cells]) for cells in zip(*twins, strict=True))
            )
            for names, twins in _twins(conditions)
            if np.isfinite([cell.values[key][-1] for pair in twins for cell in pair]).all()
        }
        for name, key in SCORES.items()
        if conditions and not conditions[0].cells[0].is_without(key)
    }


def _twins(
    conditions: Sequence[ConditionResult],
) -> list[tuple[tuple[str, str], list[tuple[CellResult, CellResult]]]]:
    """Return, per pair of names (a, b), the runs of each seed that both have, tested on the same samples."""
    pairs = []
    for b, a in combinations(conditions, 2):
        by_seed = {cell.seed: cell for cell in b.alive}
        twins = [(cell, by_seed[cell.seed]) for cell in a.alive if cell.seed in by_seed]
        if twins and pool_key(twins[0][0].cell.data) == pool_key(twins[0][1].cell.data):
            pairs.append(((a.name, b.name), twins))
    return pairs
