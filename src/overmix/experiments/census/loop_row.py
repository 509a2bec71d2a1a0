"""Rows that no study trains: their loss, their data or what they are switched to is the user's own business."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from overmix.experiments.census.row import Row, Scale
from overmix.experiments.census.task import Task
from overmix.mix import Recipe
from overmix.switch import AutoSwitch, Schedule, always
from overmix.switch.policies.auto import RULE


@dataclass(frozen=True)
class Control:
    """Another training to compare with.

    Args:
        recipe: how it mixes.
        schedule: when.
    """

    recipe: Recipe
    schedule: Schedule = field(default_factory=always)


@dataclass(frozen=True, kw_only=True)
class LoopRow(Row):
    """A recipe on a task, which the loop of :mod:`overmix.experiments.census.loop` trains.

    Args:
        method: the recipe with its parameters.
        task: the task, whose own unmixed loss is what the recipe is switched to.
        controls: by name, further trainings to compare with.
    """

    method: Recipe
    task: Task
    controls: Mapping[str, Control] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The method with its parameters."""
        return self.method

    @property
    def epochs(self) -> int:
        """Length of the training."""
        return self.task.epochs

    @property
    def control_names(self) -> list[str]:
        """Further trainings to compare with."""
        return list(self.controls)

    @property
    def baseline_names(self) -> list[str]:
        """What the task measures beside the trainings."""
        return list(self.task.baselines)

    @property
    def about(self) -> dict[str, Any]:
        """What is trained."""
        task = self.task
        return {"title": task.title, "metric": task.metric, "kind": task.kind, **asdict(task)}

    def at(self, scale: Scale) -> LoopRow:
        """Return the row at a scale."""
        return self if scale == "laptop" else replace(self, task=self.task.smoke())

    def digest(self) -> str:
        """Return a hash of all its settings."""
        controls = {name: (_says(c.recipe), repr(c.schedule)) for name, c in self.controls.items()}
        plain = () if self.erm == "off@0" else (self.erm,)
        also = (*plain, *self.baseline_names)
        said = repr((self.name, _says(self.method), repr(self.task), controls, self.grid, *also, AutoSwitch(), RULE))
        return hashlib.sha256(said.encode()).hexdigest()[:10]


def _says(recipe: Recipe) -> str:
    """Return all settings of a recipe; its repr has the parts only, not the weights of its losses."""
    settings = {name: value for name, value in sorted(vars(recipe).items()) if not callable(value)}
    return f"{type(recipe).__name__}{settings}"
