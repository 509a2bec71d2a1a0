"""What an epoch mixes with: its recipe, its random numbers, and whether the next batch is mixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.data import get_worker_info

from overmix.errors import ConfigError
from overmix.mix import MixPlan, Recipe, Streams, sample_shape
from overmix.switch.steps import StepCounter

Gate = Callable[[int, int | None], bool]
"""Whether a batch is mixed, by its step in the epoch and the optimizer steps before it, if they are known."""


@dataclass(frozen=True)
class Mixer:
    """Plans and mixes the batches of one epoch.

    Args:
        index: zero-based epoch.
        recipe: what batches are mixed with, or take their types from; None if the run has none.
        streams: where random numbers come from.
        gate: whether a batch is mixed.
        steps: counts the optimizer's steps.
    """

    index: int
    recipe: Recipe | None
    streams: Streams
    gate: Gate
    steps: StepCounter

    def on(self) -> bool:
        """Return whether the epoch is mixed as a whole.

        Raises:
            ConfigError: if mixing may go on or off inside it.
        """
        return self.gate(0, None)

    def some_recipe(self) -> Recipe:
        """Return the recipe.

        Raises:
            ConfigError: if the run has none.
        """
        if self.recipe is None:
            raise ConfigError("mix", None, "this run has no recipe: give one, or ask epoch.on for what you gate")
        return self.recipe

    def plan(self, x: Any, y: Any, step: int, features: Tensor | None, domain: Tensor | None) -> MixPlan | None:
        """Return the plan of the batch at a zero-based step, or None if mixing is off.

        Raises:
            ConfigError: if it is called in a loader's worker, or the run has no recipe.
            DataError: if the batch cannot be mixed.
        """
        if get_worker_info() is not None:
            raise ConfigError(
                "epoch.mix",
                "called in a loader's worker",
                "a worker holds a copy of the epoch: mix in the loop, what the loader hands out",
            )
        recipe = self.some_recipe()
        batch_size, device = recipe.batch_of(x, y)
        self.steps.before_batch()
        mixed = self.gate(step, self.steps.done)
        self.steps.batch()
        if not mixed:
            return None
        draws = recipe.draw(self.streams, batch_size, epoch=self.index, step=step).to(device)
        return recipe.plan(draws, y, sample_shape=sample_shape(x), features=features, domain=domain)
