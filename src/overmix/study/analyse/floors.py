"""The loss floor of each condition of a study, where it has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.explain.floor import loss_floor
from overmix.mix import BetaCoefficient, HiddenSpace, InputSpace, RandomPairing, Recipe
from overmix.recipes import NoMixup
from overmix.study.plan.cells import expand
from overmix.study.plan.trainings import by_pool, open_dataset, replica_of
from overmix.study.spec.named import NamedSchedule
from overmix.study.spec.recipes import build_recipe
from overmix.study.spec.schema import ConditionSpec, StudySpec
from overmix.study.spec.training import TrainSpec


@dataclass(frozen=True)
class ConditionFloor:
    """The lowest mean training loss that a condition can reach, or None with the reason in ``why``."""

    value: float | None
    why: str


def condition_floor(
    condition: ConditionSpec,
    train: TrainSpec,
    counts: Sequence[Sequence[int]],
    entropies: Sequence[Float[np.ndarray, " looks"]] = (),
) -> ConditionFloor:
    """Return the floor of a condition that mixes to the end; elsewhere a line would be wrong, and there is none.

    Args:
        condition: the condition.
        train: how its runs are trained.
        counts: per seed, the training samples of each class; the floors are averaged.
        entropies: per seed, the mean entropy of the labels of some epochs, once it was trained: where there is no
            closed form, their mean is the floor of the labels that there were.
    """
    name = condition.recipe_name
    recipe = build_recipe(name, **condition.recipe_parameters)
    mixed = NamedSchedule(condition.schedule).mixed_epochs(train.epochs)
    if isinstance(recipe, NoMixup) or mixed == 0:
        return ConditionFloor(None, "nothing is mixed: labels are certain")
    if mixed != train.epochs:
        return ConditionFloor(None, "mixing does not last to the end: no one line holds for all epochs")
    if not all(map(len, counts)):
        return ConditionFloor(None, "the labels are no classes")
    if train.objective != "cross_entropy":
        return ConditionFloor(None, "a squared error against soft labels has no floor above 0")
    if not _has_closed_form(recipe):
        if len(entropies):
            return ConditionFloor(float(np.mean(entropies)), "the mean entropy of the labels that it was trained on")
        return ConditionFloor(None, f"{name} has its own pairing, weights or loss: no closed form")
    coefficient = recipe.coefficient
    assert isinstance(coefficient, BetaCoefficient)
    floors = [loss_floor(counts=row, alpha=coefficient.alpha, batch_size=train.batch_size) for row in counts]
    return ConditionFloor(float(np.mean(floors)), "mixes to the end, partners from a permutation of the batch")


def _has_closed_form(recipe: Recipe) -> bool:
    """Return whether labels are mixed with a Beta weight in random pairs, and nothing else enters the loss."""
    return (
        recipe.only_mixes
        and type(getattr(recipe, "pairing", None)) is RandomPairing
        and type(recipe.coefficient) is BetaCoefficient
        and type(recipe.space) in (InputSpace, HiddenSpace)
    )


def study_floors(spec: StudySpec) -> list[dict[str, Any]]:
    """Return the floor of every condition of a study before it is run, from the class counts of each seed's samples.

    Raises:
        ConfigError: if the samples do not exist as asked for.
        DataError: if the data cannot be used.
    """
    cells = expand(spec)
    counts: dict[str, list[list[int]]] = {name: [] for name in spec.condition_names}
    for drawing in by_pool(cells).values():
        dataset = open_dataset(drawing[0].data)
        y = dataset.y.numpy()
        for cell in drawing:
            row = np.bincount(y[replica_of(cell, dataset).train_index], minlength=dataset.num_classes)
            counts[cell.condition].append(row.tolist())
    trains = {cell.condition: cell.train for cell in cells}
    conditions = zip(spec.condition_names, spec.compare, strict=True)
    floors = {name: condition_floor(condition, trains[name], counts[name]) for name, condition in conditions}
    return [
        {"condition": name, "floor": floor.value, "why": floor.why, "class_counts": counts[name]}
        for name, floor in floors.items()
    ]
