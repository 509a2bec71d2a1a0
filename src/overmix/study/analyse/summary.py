"""What a study shows: verdicts, comparisons and advice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.diagnose import (
    Comparison,
    Diagnosis,
    advise,
    diagnose_ensemble,
    holm,
)
from overmix.diagnose.interval import Interval, t_interval
from overmix.diagnose.practical import Unit
from overmix.study.analyse.cell_result import CellResult, ConditionResult
from overmix.study.analyse.choices import policy_choices
from overmix.study.analyse.code_line import line_to_copy
from overmix.study.analyse.evidence import (
    Stopping,
    best_checkpoint,
    compare,
    compare_scores,
    evidence_of,
    mean_cost,
    mean_steps,
)
from overmix.study.analyse.floors import condition_floor
from overmix.study.analyse.record import (
    ConditionSummary,
    Estimate,
    LowestLoss,
    PairedDifference,
    StepCount,
    Summary,
    SwitchSearch,
    Tuned,
)
from overmix.study.analyse.unequal import (
    are_unequal,
    class_weights,
    judged_by_balanced_error,
    majority_error,
    with_test_classes,
)
from overmix.study.spec.plain import digest
from overmix.study.spec.roles import roles_of, switch_epoch_of
from overmix.study.spec.schema import StudySpec


def summarise(spec: StudySpec, cells: Sequence[CellResult], marks: Mapping[str, Any]) -> Summary:
    """Return what a study shows.

    Args:
        spec: the study.
        cells: all its trainings.
        marks: what its bytes depend on beyond itself, see :class:`~overmix.study.store.directory.RunDirectory`.
    """
    cells = with_test_classes(cells)
    plain = cells
    if spec.metric == "balanced_error":
        cells = judged_by_balanced_error(cells)
    results = [
        ConditionResult(entry, name, role, [cell for cell in cells if cell.condition == name])
        for entry, name, role in zip(spec.compare, spec.condition_names, roles_of(spec), strict=True)
    ]
    diagnoses = {result.name: _diagnose(result.alive) for result in results}
    stops = {result.name: best_checkpoint(result.alive) for result in results}
    conditions = tuple(
        replace(
            _condition(result, diagnoses[result.name], stops[result.name]),
            balanced=_balanced([cell for cell in plain if cell.condition == result.name and not cell.diverged]),
        )
        for result in results
    )
    comparisons = compare(results)
    advice = advise(
        [evidence_of(result, diagnoses[result.name], stops[result.name], metric=spec.metric) for result in results],
        comparisons,
        compare_scores(results),
    )
    finals = {c.name: c.final.value for c in conditions if c.final.value is not None}
    return Summary(
        name=spec.name,
        labels=cells[0].labels,
        unit=cells[0].unit,
        metric=spec.metric,
        majority=majority_error(cells[0]),
        unequal=cells[0].test_classes is not None and are_unequal(cells[0].test_classes),
        conditions=conditions,
        comparisons=_corrected(comparisons),
        advice=advice,
        code=line_to_copy(spec, results, advice),
        best=min(finals, key=finals.__getitem__) if finals else None,
        search=_search(results),
        floor=_floors(results),
        epochs=max(result.epochs for result in results),
        n_test=int(cells[0].wrong.shape[-1]),
        n_val=cells[0].n_val,
        steps=_steps(cells),
        elapsed_seconds=round(sum(cell.seconds - cell.forked_seconds for cell in cells), 1),
        versions=dict(marks["fingerprint"]),
        earlier_versions=tuple(marks.get("earlier_fingerprints", ())),
        tuned=tuple(Tuned(**one.model_dump()) for one in spec.tuned),
    )


def _steps(cells: Sequence[CellResult]) -> StepCount:
    alone = [cell.steps_per_epoch * cell.cell.train.epochs * cell.cost for cell in cells]
    shared = sum(cell.steps_per_epoch * cell.forked_at for cell in cells)
    return StepCount(trained=round(sum(alone) - shared), separate=round(sum(alone)))


def _search(results: Sequence[ConditionResult]) -> SwitchSearch | None:
    """Return what policies would have chosen, where the study switches its first run of Mixup off at several epochs."""
    trunk = next((c for c in results if c.role == "mixup"), None)
    if trunk is None:
        return None
    alike = [c for c in results if c.recipe == trunk.recipe]
    off_at = [(switch_epoch_of(c.spec, c.epochs) or 0, c.cells) for c in alike if c.role == "switched"]
    erm = [(0, c.cells) for c in results if c.role == "erm"]
    return policy_choices(trunk.cells, dict(erm + off_at), {c.name: c.cells for c in alike if c.role == "auto"})


def _balanced(alive: Sequence[CellResult]) -> Estimate:
    """Return the mean over the classes of the shares of wrong samples, at the end."""
    if not alive or alive[0].test_classes is None:
        return Estimate()
    weights = class_weights(alive[0].test_classes)
    return _mean_over_seeds(np.array([float((cell.wrong[-1] * weights).mean()) for cell in alive]))


def _condition(result: ConditionResult, diagnosis: Diagnosis | None, stop: Stopping | None) -> ConditionSummary:
    alive = result.alive
    common = ConditionSummary(
        name=result.name,
        role=result.role,
        n_seeds=len(result.cells),
        n_diverged=len(result.cells) - len(alive),
        verdict="undecided",
        advice="Every run diverged: lower the learning rate.",
        switch_epoch=switch_epoch_of(result.spec, result.epochs) if result.role == "switched" else None,
        decided=tuple(cell.switch_at for cell in result.cells if cell.switch_at is not None),
        cost=round(mean_cost(result), 3),
        steps=round(mean_steps(result)),
        seconds=round(float(np.mean([cell.seconds for cell in result.cells])), 2),
        epochs=result.epochs,
        family=_family(result),
        accumulated_lr=_accumulated_lr(result.cells[0]),
    )
    if diagnosis is None:
        return common
    return replace(
        common,
        verdict=diagnosis.verdict,
        advice=diagnosis.advice,
        final=_error(diagnosis.final, diagnosis.final_ci, diagnosis.unit),
        lowest=_error(diagnosis.best, diagnosis.best_ci, diagnosis.unit),
        turning_epoch=Estimate.of(diagnosis.turning_epoch, diagnosis.turning_epoch_ci),
        depth=Estimate.of(diagnosis.depth, diagnosis.depth_ci),
        delta=diagnosis.delta,
        method=diagnosis.method,
        cross_entropy=_at_the_end("cross_entropy", alive),
        brier=_at_the_end("brier", alive),
        ece=_at_the_end("ece", alive),
        best_checkpoint=stop.record if stop else None,
        lowest_loss=_lowest_loss(alive),
    )


def _error(value: float, interval: Interval | None, unit: Unit) -> Estimate:
    # A symmetric interval of a small error may reach below 0, where no error can be, nor a rate above 1.
    most = math.inf if unit == "value" else 1.0
    return Estimate.of(value, interval and (max(0.0, interval[0]), min(most, interval[1])))


def _at_the_end(metric: str, alive: Sequence[CellResult]) -> Estimate:
    if alive[0].is_without(f"test_{metric}"):
        return Estimate()
    return _mean_over_seeds(np.array([cell.values[f"test_{metric}"][-1] for cell in alive]))


def _mean_over_seeds(values: Float[np.ndarray, " seeds"]) -> Estimate:
    return Estimate.of(float(values.mean()), t_interval(values))


def _family(condition: ConditionResult) -> str:
    """Return what conditions share that differ in nothing but their budget."""
    content = condition.cells[0].cell.content
    train = {key: value for key, value in content["train"].items() if key != "epochs"}
    return digest({**content, "train": train, "seed": None})


def _accumulated_lr(cell: CellResult) -> tuple[float, ...]:
    """Return the sum of the learning rates of all steps up to each evaluated epoch."""
    train = cell.cell.train
    factors = train.lr_schedule.build().factors(train.epochs, cell.steps_per_epoch)
    total = train.optimizer.lr * np.cumsum(factors)
    return tuple(float(f"{value:.6g}") for value in total[cell.epochs * cell.steps_per_epoch - 1])


def _lowest_loss(alive: Sequence[CellResult]) -> LowestLoss:
    """Return what a rule says that chooses by the training loss: each run's lowest one, and the test error there.

    The loss is the mean over an epoch's batches, as it was optimised, and only epochs that were looked at are
    candidates. It is the rule that we recall the paper to report by; ours is the error at the end. What is compared is
    the loss above the entropy of the epoch's own labels: with one lam per batch and few batches an epoch, the loss
    itself is lowest where lam happened to lie near 0 or 1.
    """
    above = [cell.values["mix_loss"] - cell.values["mix_floor"] for cell in alive]
    at = [int(np.argmin(np.nan_to_num(excess, nan=np.inf))) for excess in above]
    loss, error = (
        np.array([cell.values[name][i] for cell, i in zip(alive, at, strict=True)])
        for name in ("mix_loss", "test_error")
    )
    return LowestLoss(
        epochs=tuple(int(cell.epochs[i]) for cell, i in zip(alive, at, strict=True)),
        loss=float(loss.mean()),
        error=_mean_over_seeds(error),
    )


def _diagnose(alive: Sequence[CellResult]) -> Diagnosis | None:
    if not alive:
        return None
    return diagnose_ensemble(alive[0].epochs, np.stack([cell.wrong for cell in alive]), unit=alive[0].unit)


def _corrected(comparisons: Mapping[tuple[str, str], Comparison]) -> tuple[PairedDifference, ...]:
    corrected = holm([comparison.p_value for comparison in comparisons.values()])
    return tuple(
        PairedDifference(
            a=a,
            b=b,
            difference=Estimate.of(comparison.difference, comparison.ci),
            n=comparison.n,
            p_value=comparison.p_value,
            p_holm=p,
        )
        for ((a, b), comparison), p in zip(comparisons.items(), corrected, strict=True)
    )


def _floors(conditions: Sequence[ConditionResult]) -> dict[str, float]:
    """Return the lowest training loss that any model can reach, for the conditions that have one."""
    floors = {
        condition.name: condition_floor(
            condition.spec,
            condition.train,
            [cell.class_counts for cell in condition.cells],
            [cell.values["mix_floor"] for cell in condition.cells],
        )
        for condition in conditions
    }
    return {name: floor.value for name, floor in floors.items() if floor.value is not None}
