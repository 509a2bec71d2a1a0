"""Cells and stacks: what a study expands to, and which cells are trained together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from overmix.study.data import dataset_options
from overmix.study.models import model_options
from overmix.study.spec.named import NamedRecipe, NamedSchedule
from overmix.study.spec.overrides import condition_parts
from overmix.study.spec.plain import digest, json_ready
from overmix.study.spec.recipes import filled_recipe, recipe_names, with_defaults
from overmix.study.spec.schema import ConditionSpec, DataSpec, ModelSpec, StudySpec
from overmix.study.spec.training import TrainSpec
from overmix.train import Execution, stays_apart

_Part = TypeVar("_Part", DataSpec, ModelSpec)

_CONTENT_VERSION = 2
"""Raised when the engine would give other numbers for the same content: old results are then not reused."""


@dataclass(frozen=True)
class Cell:
    """One condition with one seed.

    Args:
        condition: name of the condition.
        seed: replica seed.
        data: which samples, every default written out.
        model: which model, likewise.
        train: how it is trained.
        recipe: how it mixes, every parameter written out.
        schedule: when it mixes.
    """

    condition: str
    seed: int
    data: DataSpec
    model: ModelSpec
    train: TrainSpec
    recipe: NamedRecipe
    schedule: NamedSchedule

    @cached_property
    def content(self) -> dict[str, Any]:
        """Everything that the numbers depend on, as plain values."""
        return {
            "version": _CONTENT_VERSION,
            "data": data_content(self.data),
            "model": self.model.model_dump(),
            "train": json_ready(self.train.model_dump()),
            "recipe": self.recipe.written,
            "schedule": self.schedule.written,
            "seed": self.seed,
        }

    @cached_property
    def id(self) -> str:
        """Hash of the content: the same cell has the same id in every study."""
        return digest(self.content)

    @property
    def import_paths(self) -> list[str]:
        """What it names by an import path, of its model, its recipe and its policy."""
        names = (self.model.name, *recipe_names(self.recipe.written), self.schedule.name)
        return [name for name in names if ":" in name]

    @cached_property
    def shape_key(self) -> str:
        """Cells with one shape key can share a stack.

        All agrees but schedule, seed, per-replica rates, and of a recipe that only mixes whatever does not say where.
        """
        train, recipe = self.content["train"], self.recipe.build()
        shape = {
            "data": self.content["data"],
            "model": self.content["model"],
            "epochs": train["epochs"],
            "batch_size": train["batch_size"],
            "objective": train["objective"],
            "average": train.get("average"),
            "augment": train.get("augment"),
            "track": train.get("track"),
            # Replicas that decide by themselves are a stack of their own: they go back together.
            "policy": self.schedule.written if self.schedule.decides else None,
            "space": repr(recipe.space),
            "optimizer": {k: v for k, v in train["optimizer"].items() if k not in ("lr", "weight_decay")},
        }
        # One whose loss is no mixture of its own needs the whole stack to itself.
        return digest(shape | {"recipe": self.recipe.written} if stays_apart(recipe) else shape)


_LATER_OPTIONS = {"labels": "auto"}
"""Options that data sets did not always have: at their default they leave the cells' ids as they were."""


def data_content(data: DataSpec, without: Collection[str] = ()) -> dict[str, Any]:
    """Return what a cell's data are, as plain values.

    Args:
        data: every default written out.
        without: fields to leave out.
    """
    values = data.model_dump(exclude=set(without))
    return {key: value for key, value in values.items() if key not in _LATER_OPTIONS or value != _LATER_OPTIONS[key]}


@dataclass(frozen=True)
class StackTask:
    """Cells that are trained as one stack.

    Args:
        cells: at least one.
        execution: stacked or looped.
        device: where it runs.
    """

    cells: tuple[Cell, ...]
    execution: Execution
    device: str

    @property
    def id(self) -> str:
        """Hash of what the stack's numbers depend on: its cells, their order, execution and device."""
        return digest([[cell.id for cell in self.cells], self.execution, self.device])


def expand(spec: StudySpec) -> list[Cell]:
    """Return the cells of a study, condition by condition, seeds in the order given."""
    return [
        cell
        for name, condition in zip(spec.condition_names, spec.compare, strict=True)
        for cell in _cells(spec, name, condition)
    ]


def _cells(spec: StudySpec, name: str, condition: ConditionSpec) -> list[Cell]:
    data, model, train = condition_parts(spec, condition)
    data = _with_defaults(data, dataset_options(data.name))
    if ":" not in model.name:  # the options of an import path are known to its own code alone
        model = _with_defaults(model, model_options(model.name))
    ((recipe, parameters),) = filled_recipe(condition.recipe_name, condition.recipe_parameters).items()
    named = NamedRecipe(recipe, parameters)
    return [Cell(name, seed, data, model, train, named, NamedSchedule(condition.schedule)) for seed in spec.seed_list]


def _with_defaults(part: _Part, defaults: Mapping[str, Any]) -> _Part:
    return part.model_copy(update=with_defaults(part.options, defaults))


def stack_size(execution: Execution, device: str) -> int:
    """Return how many replicas share a stack.

    Eight on the CPU: the batched products are long enough by then, and the stack's weights, gradients and velocities
    still fit the caches. A GPU wants more work per kernel.
    """
    if execution == "looped":
        return 1
    return 8 if device == "cpu" else 32


def layout(cells: Sequence[Cell], executions: dict[str, Execution], device: str) -> list[StackTask]:
    """Return the stacks of a study; a function of the study alone, so that its bytes do not depend on the workers.

    Seeds are taken in blocks of a stack's size, and within a block condition by condition: with whole blocks, neither
    more seeds nor more conditions change the stacks that were there before, so that they need not be trained again.

    Args:
        cells: all cells of the study, finished or not.
        executions: per shape key, stacked or looped.
        device: where the study runs.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.shape_key, []).append(cell)
    tasks = []
    for key, cells_of_shape in groups.items():
        size = stack_size(executions[key], device)
        group = _in_blocks(cells_of_shape, size)
        tasks += [
            StackTask(tuple(group[start : start + size]), executions[key], device)
            for start in range(0, len(group), size)
        ]
    return tasks


def _in_blocks(cells: Sequence[Cell], size: int) -> list[Cell]:
    rank = {seed: number for number, seed in enumerate(dict.fromkeys(cell.seed for cell in cells))}
    return sorted(cells, key=lambda cell: rank[cell.seed] // size)
