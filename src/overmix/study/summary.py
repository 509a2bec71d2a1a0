"""The summary of a study: verdicts, comparisons and advice, as plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from overmix.diagnose import Comparison, diagnose_ensemble, holm, paired_difference
from overmix.explain.floor import loss_floor
from overmix.mix import BetaCoefficient
from overmix.recipes import make_recipe
from overmix.study.roles import Role, role_of, switch_epoch_of
from overmix.study.spec import ConditionSpec, StudySpec

SCHEMA_VERSION = 1


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

    @property
    def has_validation(self) -> bool:
        """Whether samples were held out."""
        return bool(self.content["data"]["val_size"])

    @property
    def diverged(self) -> bool:
        """Whether it ended with a loss that is not finite."""
        return not np.isfinite(self.values["mix_loss"][-1] + self.values["test_cross_entropy"][-1])


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
        Condition(entry, name, role_of(entry, spec), [cell for cell in cells if cell.condition == name])
        for entry, name in zip(spec.compare, spec.condition_names, strict=True)
    ]
    rows = [_row(condition) for condition in conditions]
    comparisons = _comparisons(conditions)
    finals = {row["name"]: row["final_error"] for row in rows if row["final_error"] is not None}
    return {
        "schema_version": SCHEMA_VERSION,
        "name": spec.name,
        "metric": "error",
        "conditions": rows,
        "comparisons": comparisons,
        "best": min(finals, key=finals.__getitem__) if finals else None,
        "floor": _floors(conditions),
        "epochs": max(condition.epochs for condition in conditions),
        "n_test": int(cells[0].wrong.shape[-1]),
        "elapsed_seconds": round(sum(cell.seconds for cell in cells), 1),
        "versions": dict(marks["fingerprint"]),
    }


def _row(condition: Condition) -> dict[str, Any]:
    alive = condition.alive
    row: dict[str, Any] = {
        "name": condition.name,
        "role": condition.role,
        "n_seeds": len(condition.cells),
        "n_diverged": len(condition.cells) - len(alive),
        "switch_epoch": switch_epoch_of(condition.spec, condition.epochs) if condition.role == "switched" else None,
        "steps": condition.cells[0].steps_per_epoch * condition.epochs,
        "seconds": round(float(np.mean([cell.seconds for cell in condition.cells])), 2),
        **_final_scores(alive),
    }
    return row | _diagnosis(alive)


def _diagnosis(alive: Sequence[CellResult]) -> dict[str, Any]:
    keys = ("final_error", "final_error_ci", "lowest_error", "lowest_error_ci", "turning_epoch", "turning_epoch_ci",
            "depth", "depth_ci", "delta")  # fmt: skip
    if not alive:
        return dict.fromkeys(keys) | {"verdict": "undecided", "advice": "Every run diverged: lower the learning rate."}
    found = diagnose_ensemble(alive[0].epochs, np.stack([cell.wrong for cell in alive]))
    plain = found.to_dict(single_run="null")
    for name in ("final", "lowest"):
        plain[f"{name}_error"], plain[f"{name}_error_ci"] = plain[name], plain[f"{name}_ci"]
    return {key: plain[key] for key in (*keys, "verdict", "method", "advice")}


def _final_scores(alive: Sequence[CellResult]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in ("cross_entropy", "brier", "ece"):
        values = np.array([cell.values[f"test_{name}"][-1] for cell in alive])
        out[f"final_{name}"] = float(values.mean()) if len(values) else None
        out[f"final_{name}_ci"] = _t_interval(values)
    return out


def _t_interval(values: np.ndarray, level: float = 0.95) -> list[float] | None:
    """Return Student's interval of the mean over seeds, or ``None`` for fewer than two."""
    if len(values) < 2:
        return None
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return [float(values.mean()) - half, float(values.mean()) + half]


def _comparisons(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Compare every pair that was tested on the same samples, on the seeds that both have."""
    found: list[tuple[str, str, Comparison]] = []
    for b, a in combinations(conditions, 2):
        by_seed = {cell.seed: cell for cell in b.alive}
        twins = [(cell, by_seed[cell.seed]) for cell in a.alive if cell.seed in by_seed]
        if not twins or twins[0][0].content["data"]["name"] != twins[0][1].content["data"]["name"]:
            continue
        wrong_a = np.stack([cell.wrong[-1] for cell, _ in twins])
        wrong_b = np.stack([cell.wrong[-1] for _, cell in twins])
        if wrong_a.shape == wrong_b.shape:
            found.append((a.name, b.name, paired_difference(wrong_a, wrong_b)))
    corrected = holm([comparison.p_value for _, _, comparison in found])
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
        for (a, b, comparison), p in zip(found, corrected, strict=True)
    ]


def _floors(conditions: Sequence[Condition]) -> dict[str, float]:
    """Return the lowest training loss that any model can reach, for conditions that mix to the end with a Beta law."""
    floors = {}
    for condition in conditions:
        recipe = make_recipe(condition.spec.recipe_name, **condition.spec.recipe_parameters)
        if condition.role != "mixup" or not isinstance(recipe.coefficient, BetaCoefficient):
            continue
        train = condition.cells[0].content["train"]
        floors[condition.name] = float(
            np.mean(
                [
                    loss_floor(counts=cell.class_counts, alpha=recipe.coefficient.alpha, batch_size=train["batch_size"])
                    for cell in condition.cells
                ]
            )
        )
    return floors
