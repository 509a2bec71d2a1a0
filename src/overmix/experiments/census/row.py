"""A row of the census: a recipe on its task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from overmix.experiments.census.task import Task
from overmix.mix import Recipe
from overmix.switch import AutoSwitch, Schedule, always
from overmix.switch.policies.auto import RULE

SHARES = (1 / 24, 1 / 12, 1 / 6, 1 / 3, 2 / 3)
"""Where the recipe is switched off, as shares of the training, beside never on and never off: log-spaced, with 1/3."""

Scale = Literal["smoke", "laptop"]

SMOKE_EPOCHS = 10


@dataclass(frozen=True)
class Control:
    """Another training to compare with.

    Args:
        recipe: how it mixes.
        schedule: when.
    """

    recipe: Recipe
    schedule: Schedule = field(default_factory=always)


@dataclass(frozen=True)
class Row:
    """A recipe on a task.

    Args:
        recipe_name: as ``overmix recipes`` lists it.
        recipe: the method with its parameters.
        task: the task, whose own unmixed loss is what the recipe is switched to.
        variant: tells rows of one recipe apart.
        controls: by name, further trainings to compare with.
        off: what "off" means in this row.
        erm: the condition that mixes nothing: never on, or a control where being off is another method.
    """

    recipe_name: str
    recipe: Recipe
    task: Task
    variant: str = ""
    controls: Mapping[str, Control] = field(default_factory=dict)
    off: str = "plain training"
    erm: str = "off@0"

    @property
    def name(self) -> str:
        """A name usable as that of a file."""
        return f"{self.recipe_name}-{self.variant}" if self.variant else self.recipe_name

    @property
    def grid(self) -> list[int]:
        """Switch epochs, 0 (never mixed) and the last (never off) included."""
        epochs = self.task.epochs
        inner = {int(round(share * epochs, 6)) for share in SHARES}
        return sorted({0, epochs} | {epoch for epoch in inner if 0 < epoch < epochs})

    @property
    def third(self) -> int:
        """The epoch of the grid after one third of the training."""
        return int(round(self.task.epochs / 3, 6))

    def at(self, scale: Scale) -> Row:
        """Return the row at a scale: ``"smoke"`` only shows that it runs."""
        return self if scale == "laptop" else replace(self, task=replace(self.task, epochs=SMOKE_EPOCHS))

    def digest(self) -> str:
        """Return what tells this row from another version of itself."""
        controls = {name: (_says(c.recipe), repr(c.schedule)) for name, c in self.controls.items()}
        plain = () if self.erm == "off@0" else (self.erm,)
        said = repr((self.name, _says(self.recipe), repr(self.task), controls, self.grid, *plain, AutoSwitch(), RULE))
        return hashlib.sha256(said.encode()).hexdigest()[:10]


def _says(recipe: Recipe) -> str:
    """Return all settings of a recipe; its repr has the parts only, not the weights of its losses."""
    settings = {name: value for name, value in sorted(vars(recipe).items()) if not callable(value)}
    return f"{type(recipe).__name__}{settings}"
