"""Cells and stacks: what a study expands to, and which cells are trained together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from overmix.study.data import dataset_options
from overmix.study.models import model_options
from overmix.study.spec.plain import digest, json_ready
from overmix.study.spec.recipes import build_recipe, recipe_entry
from overmix.study.spec.schema import ConditionSpec, DataSpec, ModelSpec, StudySpec, condition_parts
from overmix.switch import HeldOut, Policy, make_schedule, schedule_name
from overmix.train import Execution

_CONTENT_VERSION = 2
"""Raised when the engine would give other numbers for the same content: old results are then not reused."""


@dataclass(frozen=True)
class Cell:
    """One condition with one seed.

    Args:
        condition: name of the condition.
        seed: replica seed.
        content: everything that the numbers depend on, as plain values, every default written out.
    """

    condition: str
    seed: int
    content: dict[str, Any]

    @cached_property
    def id(self) -> str:
        """Hash of the content: the same cell has the same id in every study."""
        return digest(self.content)

    @property
    def import_paths(self) -> list[str]:
        """What it names by an import path, of its model, its recipe and its policy."""
        content = self.content
        names = (str(content["model"]["name"]), next(iter(content["recipe"])), schedule_name(content["schedule"]))
        return [name for name in names if ":" in name]

    @cached_property
    def shape_key(self) -> str:
        """Cells with one shape key can share a stack.

        All agrees but schedule, seed, per-replica rates, and of the recipe whatever does not say where it mixes.
        """
        train = self.content["train"]
        name, parameters = next(iter(self.content["recipe"].items()))
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
            "policy": self.content["schedule"] if is_policy(self.content["schedule"]) else None,
            "space": repr(build_recipe(name, **parameters).space),
            "optimizer": {k: v for k, v in train["optimizer"].items() if k not in ("lr", "weight_decay")},
        }
        return digest(shape)


def is_policy(schedule: str | Mapping[str, Any]) -> bool:
    """Return whether a schedule decides by itself."""
    return isinstance(make_schedule(schedule), Policy | HeldOut)


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
        Cell(name, seed, _content(spec, condition, seed))
        for name, condition in zip(spec.condition_names, spec.compare, strict=True)
        for seed in spec.seed_list
    ]


def _content(spec: StudySpec, condition: ConditionSpec, seed: int) -> dict[str, Any]:
    data, model, train = condition_parts(spec, condition)
    recipe = condition.recipe_name
    return {
        "version": _CONTENT_VERSION,
        "data": _with_defaults(data, dataset_options(data.name)),
        # The options of an import path are known to its own code alone.
        "model": _with_defaults(model, {} if ":" in model.name else model_options(model.name)),
        "train": json_ready(train.model_dump()),
        "recipe": {recipe: _filled(condition.recipe_parameters, recipe_entry(recipe).defaults)},
        "schedule": condition.schedule,
        "seed": seed,
    }


def _with_defaults(part: DataSpec | ModelSpec, defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {**part.model_dump(), **_filled(part.options, defaults)}


def _filled(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with their defaults, so that what is written out and what is left out are the same cell."""
    filled = {**defaults, **given}
    for name, default in defaults.items():
        if isinstance(default, float) and isinstance(filled[name], int):
            filled[name] = float(filled[name])
    return {name: list(value) if isinstance(value, tuple) else value for name, value in filled.items()}


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
