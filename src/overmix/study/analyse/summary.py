"""The summary of a study: verdicts, comparisons and advice, as plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from overmix.diagnose import (
    Comparison,
    Diagnosis,
    Evidence,
    Role,
    advise,
    diagnose_ensemble,
    holm,
    paired_difference,
)
from overmix.diagnose.interval import t_interval
from overmix.study.analyse.choices import policy_choices
from overmix.study.analyse.floors import condition_floor
from overmix.study.spec.plain import canonical, digest
from overmix.study.spec.roles import roles_of, switch_epoch_of
from overmix.study.spec.schema import ConditionSpec, StudySpec, TrainSpec
from overmix.train import diverged

SCHEMA_VERSION = 1

_AT_THE_TOP = ("Mixup", "NoMixup")
"""Recipes that users import from overmix itself."""


@dataclass(frozen=True)
class CellResult:
    """One finished training.

    Args:
        condition: name of the condition.
        seed: replica seed.
        content: what the cell is.
        epochs: evaluated epochs, shape (T,).
        values: per metric, shape (T,).
        wrong: misclassified test samples, shape (T, M), 0 or 1.
        class_counts: training samples of each class.
        steps_per_epoch: optimizer steps in one epoch.
        seconds: wall-clock time of its share of the stack.
        switch_at: epochs of Mixup that it decided on, if it decided by itself.
        cost: epochs trained to decide and to end so, over those of one run.
        forked_at: how many of its epochs were trained by the run that it went on from.
        forked_seconds: how much of its time that took.
    """

    condition: str
    seed: int
    content: Mapping[str, Any]
    epochs: np.ndarray
    values: Mapping[str, np.ndarray]
    wrong: np.ndarray
    class_counts: list[int]
    steps_per_epoch: int
    seconds: float
    switch_at: int | None = None
    cost: float = 1.0
    forked_at: int = 0
    forked_seconds: float = 0.0

    @property
    def has_validation(self) -> bool:
        """Whether samples were held out."""
        return bool(self.content["data"]["val_size"])

    @property
    def diverged(self) -> bool:
        """Whether it ended with a loss that is not finite, or beyond all hope."""
        return bool(diverged(self.values["mix_loss"][-1:], self.values["test_cross_entropy"][-1:])[0])


@dataclass(frozen=True)
class Condition:
    """All finished trainings of one condition."""

    spec: ConditionSpec
    name: str
    role: Role
    cells: list[CellResult]

    @property
    def alive(self) -> list[CellResult]:
        """Those that did not diverge."""
        return [cell for cell in self.cells if not cell.diverged]

    @property
    def epochs(self) -> int:
        """Length of the training."""
        return int(self.cells[0].content["train"]["epochs"])


def summarise(spec: StudySpec, cells: Sequence[CellResult], marks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    conditions = [
        Condition(entry, name, role, [cell for cell in cells if cell.condition == name])
        for entry, name, role in zip(spec.compare, spec.condition_names, roles_of(spec), strict=True)
    ]
    diagnoses = {condition.name: _diagnose(condition.alive) for condition in conditions}
    rows = [_row(condition, diagnoses[condition.name]) for condition in conditions]
    comparisons = _compare(conditions)
    finals = {row["name"]: row["final_error"] for row in rows if row["final_error"] is not None}
    return {
        "schema_version": SCHEMA_VERSION,
        "name": spec.name,
        "metric": "error",
        "conditions": rows,
        "comparisons": _comparison_rows(comparisons),
        "advice": _advice(conditions, diagnoses, comparisons),
        "best": min(finals, key=finals.__getitem__) if finals else None,
        "policies": _choices(conditions),
        "floor": _floors(conditions),
        "epochs": max(condition.epochs for condition in conditions),
        "n_test": int(cells[0].wrong.shape[-1]),
        "steps": _steps(cells),
        "elapsed_seconds": round(sum(cell.seconds - cell.forked_seconds for cell in cells), 1),
        "versions": dict(marks["fingerprint"]),
        "earlier_versions": list(marks.get("earlier_fingerprints", [])),
    }


def _steps(cells: Sequence[CellResult]) -> dict[str, int]:
    """Return the optimizer steps that were trained, and those of the same runs without shared beginnings."""
    alone = [cell.steps_per_epoch * int(cell.content["train"]["epochs"]) * cell.cost for cell in cells]
    shared = sum(cell.steps_per_epoch * cell.forked_at for cell in cells)
    return {"trained": round(sum(alone) - shared), "separate": round(sum(alone))}


def _choices(conditions: Sequence[Condition]) -> dict[str, Any] | None:
    """Return what policies would have chosen, where the study switches its first run of Mixup off at several epochs."""
    trunk = next((c for c in conditions if c.role == "mixup"), None)
    if trunk is None:
        return None
    recipe = trunk.cells[0].content["recipe"]
    own = [c for c in conditions if c.cells[0].content["recipe"] == recipe]
    off_at = [(switch_epoch_of(c.spec, c.epochs) or 0, c.cells) for c in own if c.role == "switched"]
    erm = [(0, c.cells) for c in conditions if c.role == "erm"]
    return policy_choices(trunk.cells, dict(erm + off_at), {c.name: c.cells for c in own if c.role == "auto"})


def _row(condition: Condition, diagnosis: Diagnosis | None) -> dict[str, Any]:
    alive = condition.alive
    row: dict[str, Any] = {
        "name": condition.name,
        "role": condition.role,
        "n_seeds": len(condition.cells),
        "n_diverged": len(condition.cells) - len(alive),
        "switch_epoch": switch_epoch_of(condition.spec, condition.epochs) if condition.role == "switched" else None,
        "decided": [cell.switch_at for cell in condition.cells] if condition.cells[0].switch_at is not None else None,
        "cost": round(_mean_cost(condition), 3),
        "steps": round(_mean_steps(condition)),
        "seconds": round(float(np.mean([cell.seconds for cell in condition.cells])), 2),
        "epochs": condition.epochs,
        "family": _family(condition),
        "accumulated_lr": _accumulated_lr(condition.cells[0]),
        "best_checkpoint": _best_checkpoint(alive),
        "lowest_loss": _lowest_loss(alive),
        **_final_scores(alive),
    }
    return row | _diagnosis_row(diagnosis)


def _mean_cost(condition: Condition) -> float:
    return float(np.mean([cell.cost for cell in condition.cells]))


def _mean_steps(condition: Condition) -> float:
    """Return the optimizer steps of a run, those that it took to decide included."""
    return condition.cells[0].steps_per_epoch * condition.epochs * _mean_cost(condition)


def _best_checkpoint(alive: Sequence[CellResult]) -> dict[str, Any] | None:
    """Return how the checkpoints do that have each run's lowest Brier score on its validation split.

    ``gain`` is the error at the end minus theirs: positive if going back to them helps. Only epochs that were looked at
    are candidates. ``None`` without a validation split.
    """
    if not alive or not alive[0].has_validation:
        return None
    best = [int(np.argmin(np.nan_to_num(cell.values["val_brier"], nan=np.inf))) for cell in alive]
    wrong = np.stack([cell.wrong[at] for cell, at in zip(alive, best, strict=True)])
    gain = paired_difference(np.stack([cell.wrong[-1] for cell in alive]), wrong)
    return {
        "epochs": [int(cell.epochs[at]) for cell, at in zip(alive, best, strict=True)],
        "error": float(wrong.mean()),
        "gain": gain.difference,
        "gain_ci": None if gain.ci is None else list(gain.ci),
    }


def _family(condition: Condition) -> str:
    """Return what conditions share that differ in nothing but their budget."""
    content = condition.cells[0].content
    train = {key: value for key, value in content["train"].items() if key != "epochs"}
    return digest({**content, "train": train, "seed": None})


def _accumulated_lr(cell: CellResult) -> list[float]:
    """Return the sum of the learning rates of all steps up to each evaluated epoch."""
    train = TrainSpec.model_validate(cell.content["train"])
    factors = train.lr_schedule.build().factors(train.epochs, cell.steps_per_epoch)
    total = train.optimizer.lr * np.cumsum(factors)
    return [float(f"{value:.6g}") for value in total[cell.epochs * cell.steps_per_epoch - 1]]


def _lowest_loss(alive: Sequence[CellResult]) -> dict[str, Any] | None:
    """Return what a rule says that chooses by the training loss: each run's lowest one, and the test error there.

    The loss is the mean over an epoch's batches, as it was optimised, and only epochs that were looked at are
    candidates. It is the rule that we recall the paper to report by; ours is the error at the end. What is compared is
    the loss above the entropy of the epoch's own labels: with one lam per batch and few batches an epoch, the loss
    itself is lowest where lam happened to lie near 0 or 1.
    """
    if not alive:
        return None
    above = [cell.values["mix_loss"] - cell.values["mix_floor"] for cell in alive]
    at = [int(np.argmin(np.nan_to_num(own, nan=np.inf))) for own in above]
    loss, error = (
        np.array([cell.values[name][i] for cell, i in zip(alive, at, strict=True)])
        for name in ("mix_loss", "test_error")
    )
    return {
        "epochs": [int(cell.epochs[i]) for cell, i in zip(alive, at, strict=True)],
        "loss": float(loss.mean()),
        "error": float(error.mean()),
        "error_ci": _ci(error),
    }


def _ci(values: np.ndarray) -> list[float] | None:
    """Return Student's interval of the mean over seeds, as JSON holds it."""
    ci = t_interval(values)
    return None if ci is None else list(ci)


def _diagnose(alive: Sequence[CellResult]) -> Diagnosis | None:
    return diagnose_ensemble(alive[0].epochs, np.stack([cell.wrong for cell in alive])) if alive else None


def _diagnosis_row(diagnosis: Diagnosis | None) -> dict[str, Any]:
    keys = ("final_error", "final_error_ci", "lowest_error", "lowest_error_ci", "turning_epoch", "turning_epoch_ci",
            "depth", "depth_ci", "delta", "method")  # fmt: skip
    if diagnosis is None:
        return dict.fromkeys(keys) | {"verdict": "undecided", "advice": "Every run diverged: lower the learning rate."}
    plain = diagnosis.to_dict()
    for name, key in (("final_error", "final"), ("lowest_error", "best")):
        ci = plain[f"{key}_ci"]
        # A symmetric interval of a small error rate may reach below 0, where no error rate can be.
        plain[name], plain[f"{name}_ci"] = plain[key], ci and [max(0.0, ci[0]), min(1.0, ci[1])]
    return {key: plain[key] for key in (*keys, "verdict", "advice")}


def _final_scores(alive: Sequence[CellResult]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in ("cross_entropy", "brier", "ece"):
        values = np.array([cell.values[f"test_{name}"][-1] for cell in alive])
        out[f"final_{name}"] = float(values.mean()) if len(values) else None
        out[f"final_{name}_ci"] = _ci(values)
    return out


def _compare(conditions: Sequence[Condition]) -> dict[tuple[str, str], Comparison]:
    """Compare every pair that was tested on the same samples, on the seeds that both have."""
    found = {}
    for b, a in combinations(conditions, 2):
        by_seed = {cell.seed: cell for cell in b.alive}
        twins = [(cell, by_seed[cell.seed]) for cell in a.alive if cell.seed in by_seed]
        if not twins or _test_set(twins[0][0]) != _test_set(twins[0][1]):
            continue
        wrong_a = np.stack([cell.wrong[-1] for cell, _ in twins])
        wrong_b = np.stack([cell.wrong[-1] for _, cell in twins])
        found[a.name, b.name] = paired_difference(wrong_a, wrong_b)
    return found


def _test_set(cell: CellResult) -> dict[str, Any]:
    """Return what decides the test samples; how many training samples are drawn does not."""
    return {k: v for k, v in cell.content["data"].items() if k not in ("train_size", "val_size", "balanced")}


def _comparison_rows(comparisons: Mapping[tuple[str, str], Comparison]) -> list[dict[str, Any]]:
    corrected = holm([comparison.p_value for comparison in comparisons.values()])
    return [
        {
            "a": a,
            "b": b,
            "difference": comparison.difference,
            "ci": None if comparison.ci is None else list(comparison.ci),
            "n": comparison.n,
            "p_value": comparison.p_value,
            "p_holm": p,
        }
        for ((a, b), comparison), p in zip(comparisons.items(), corrected, strict=True)
    ]


def _advice(
    conditions: Sequence[Condition],
    diagnoses: Mapping[str, Diagnosis | None],
    comparisons: Mapping[tuple[str, str], Comparison],
) -> dict[str, Any]:
    """Return the study's advice, and the line of code that follows it."""
    evidence = [_evidence(condition, diagnoses[condition.name]) for condition in conditions]
    advice = advise(evidence, comparisons)
    mixing = next((c for c in conditions if c.name == advice.condition and c.role != "erm"), None)
    mixing = mixing or next((c for c in conditions if c.name == advice.gain_of), None)
    mixing = mixing or next((c for c in conditions if c.role in ("mixup", "switched", "auto")), None)
    code = None
    if mixing is not None and advice.kind != "undecided":
        code = _code(mixing, advice.kind, advice.switch_epoch)
    return advice.to_dict() | {"code": code}


def _evidence(condition: Condition, diagnosis: Diagnosis | None) -> Evidence:
    alive, first = condition.alive, condition.cells[0]
    held_out = bool(alive) and all(cell.has_validation for cell in alive)
    return Evidence(
        condition.name,
        condition.role,
        switch_epoch_of(condition.spec, condition.epochs) if condition.role == "switched" else None,
        diagnosis,
        recipe=condition.spec.recipe_name,
        family=canonical(first.content["recipe"]),
        validation_error=float(np.mean([cell.values["val_error"][-1] for cell in alive])) if held_out else None,
        steps=_mean_steps(condition),
        decided=tuple(cell.switch_at for cell in alive if cell.switch_at is not None),
    )


def _code(mixing: Condition, kind: str, switch_epoch: int | None) -> str:
    """Return the line for a user's own loop."""
    name, parameters = mixing.spec.recipe_name, mixing.spec.recipe_parameters
    recipe = "overmix.NoMixup()" if kind == "no-mixup" else f"{_imported(name)}({_arguments(parameters)})"
    switch = ""
    if kind == "switch" and switch_epoch is not None:
        switch = f", switch=overmix.off_at({switch_epoch})"
    elif kind == "switch":
        schedule = mixing.spec.schedule
        settings = {} if isinstance(schedule, str) else dict(next(iter(schedule.values())))
        settings.pop("holdout", None)  # a loop shows held-out samples by itself
        policy = f"overmix.AutoSwitch({_arguments(settings)})"
        switch = f', switch={policy}, state={{"model": model, "optimizer": optimizer}}'
    return f"run = overmix.Epochs({mixing.epochs}, mix={recipe}{switch})"


def _arguments(parameters: Mapping[str, Any]) -> str:
    """Write parameters as Python does, infinity too."""
    written = {key: 'float("inf")' if value == math.inf else repr(value) for key, value in parameters.items()}
    return ", ".join(f"{key}={value}" for key, value in written.items())


def _imported(name: str) -> str:
    """Return how a recipe is called in Python."""
    if ":" in name:
        return name.replace(":", ".")
    return f"overmix.{name}" if name in _AT_THE_TOP else f"overmix.recipes.{name}"


def _floors(conditions: Sequence[Condition]) -> dict[str, float]:
    """Return the lowest training loss that any model can reach, for the conditions that have one."""
    floors = {
        condition.name: condition_floor(
            condition.spec,
            condition.cells[0].content["train"],
            [cell.class_counts for cell in condition.cells],
            [cell.values["mix_floor"] for cell in condition.cells],
        )
        for condition in conditions
    }
    return {name: floor.value for name, floor in floors.items() if floor.value is not None}
