"""Mixers that a framework calls by itself, and that follow a run: what is due in an epoch reaches them from there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from overmix.errors import ConfigError
from overmix.mix import MixedTarget, Recipe
from overmix.switch import Epoch, Epochs


class Follower:
    """Mixes batches with a recipe: by itself, or as the run that it follows says.

    Args:
        recipe: mixes.
        generator: the PyTorch generator that randomness comes from while no run is followed; by default PyTorch's own,
            so that ``torch.manual_seed`` makes it repeat.
    """

    def __init__(self, recipe: Recipe, generator: torch.Generator | None = None) -> None:
        self.recipe = recipe
        self._generator = generator
        self._epoch: Epoch | None = None

    def follow(self, run: Epochs) -> Iterator[Epoch]:
        """Yield the run's epochs, and mix while each lasts as it says: probes and everything after the switch unmixed.

        Args:
            run: made with this object's recipe, ``Epochs(300, mix=mixer.recipe, switch=AutoSwitch(), state=...)``.

        Raises:
            ConfigError: if the run has another recipe.
        """
        if run.recipe is not self.recipe:
            raise ConfigError("mix", run.recipe, "give the run this mixer's recipe: Epochs(..., mix=mixer.recipe)")
        try:
            for self._epoch in run:
                yield self._epoch
        finally:
            self._epoch = None

    def mixed(self, x: Any, y: Tensor) -> tuple[Any, MixedTarget]:
        """Return the batch, mixed or handed through, and its target."""
        if self._epoch is not None:
            return self._epoch.mix(x, y)
        return self.recipe(x, y, self._generator)
