"""One of several recipes for each batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from overmix.errors import ConfigError
from overmix.mix import Draws, MixPlan, Need, Objective, OneOfSpace, Recipe, SideInfo, StreamSource


class OneOf(Recipe):
    """Each batch is mixed by one of several recipes, drawn with given probabilities.

    All recipes draw the numbers that they would draw alone, so that every batch is one that some of them would have
    made by itself.

    Args:
        *recipes: the candidates, at least one; another ``OneOf`` counts as its own candidates.
        probs: their probabilities; equal by default.

    Raises:
        ConfigError: if there is no recipe, or one has an objective of its own, or two are usually trained with
            different losses, or the probabilities do not fit.

    Example:
        >>> from overmix.recipes import CutMix, Mixup, NoMixup
        >>> x, y = torch.rand(6, 3, 8, 8), torch.arange(6)
        >>> x_mixed, target = OneOf(Mixup(alpha=0.2), CutMix(), probs=(0.3, 0.7))(x, y)
        >>> OneOf(CutMix(), NoMixup()).probs      # CutMix for half of the batches
        (0.5, 0.5)
    """

    def __init__(self, *recipes: Recipe, probs: Sequence[float] | None = None) -> None:
        if not recipes:
            raise ConfigError("recipes", recipes, "give at least one recipe, as in OneOf(Mixup(), CutMix())")
        for recipe in recipes:
            if not isinstance(recipe, Recipe):
                raise ConfigError("recipes", recipe, "give recipes, as in OneOf(Mixup(), CutMix())")
            if not recipe.only_mixes:
                raise ConfigError("recipes", recipe, "leave it out: its objective is its own, and cannot be shared")
        given = _checked(probs, len(recipes))
        flat = [pair for recipe, p in zip(recipes, given, strict=True) for pair in _candidates(recipe, p)]
        self.recipes = tuple(recipe for recipe, _ in flat)
        self.probs = tuple(p for _, p in flat)
        # It is for whatever all of them are for.
        self.for_labels = tuple(kind for kind in Recipe.for_labels if all(kind in r.for_labels for r in self.recipes))
        self.usual_loss = _common_loss(self.recipes)
        self.space = OneOfSpace(tuple(recipe.space for recipe in self.recipes))

    def __repr__(self) -> str:
        return f"OneOf({', '.join(map(repr, self.recipes))}, probs={self.probs})"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The recipes and their probabilities, those of a nested choice as their own."""
        return {"recipes": self.recipes, "probs": self.probs}

    @property
    def needs(self) -> frozenset[Need]:
        """What any of the recipes needs."""
        return frozenset().union(*(recipe.needs for recipe in self.recipes))

    def draw(self, streams: StreamSource, batch_size: int, *, epoch: int = 0, step: int = 0) -> Draws:
        """Return the choice and the raw numbers of every recipe."""
        choice = int(streams.generator("choice", epoch=epoch, step=step).choice(len(self.recipes), p=self.probs))
        parts = tuple(recipe.draw(streams, batch_size, epoch=epoch, step=step) for recipe in self.recipes)
        return Draws(choice=torch.full((batch_size,), choice), parts=parts)

    def _plan(self, draws: Draws, side: SideInfo, sample_shape: tuple[int, ...] | None) -> MixPlan:
        choice = draws.choice
        if choice is None or len(draws.parts) != len(self.recipes):
            raise ConfigError("draws", draws, "draw them with this recipe")
        parts = tuple(
            recipe._plan(drawn, side, sample_shape).only_where(choice == k)
            for k, (recipe, drawn) in enumerate(zip(self.recipes, draws.parts, strict=True))
        )
        partner, lam = parts[0].partner, parts[0].lam
        for k, part in enumerate(parts):
            partner = torch.where(choice == k, part.partner, partner)
            lam = torch.where(choice == k, part.lam, lam)
        return MixPlan(partner, lam, choice=choice, parts=parts)


def _common_loss(recipes: Sequence[Recipe]) -> Objective | None:
    """Return the loss that those of the recipes are usually trained with that have one: others are for any.

    Raises:
        ConfigError: if there are two.
    """
    losses = [recipe.usual_loss for recipe in recipes if recipe.usual_loss is not None]
    names = sorted({type(loss).__name__ for loss in losses})
    if len(names) > 1:
        raise ConfigError("recipes", list(recipes), f"give recipes of one usual loss, not {' and '.join(names)}")
    return losses[0] if losses else None


def _checked(probs: Sequence[float] | None, count: int) -> tuple[float, ...]:
    if probs is None:
        return (1 / count,) * count
    try:
        given = tuple(float(p) for p in probs)
    except (TypeError, ValueError):
        raise ConfigError("probs", probs, f"give {count} numbers, one per recipe") from None
    if len(given) != count:
        raise ConfigError("probs", given, f"give {count}, one per recipe")
    if not all(p >= 0 for p in given) or not math.isclose(sum(given), 1, abs_tol=1e-6):
        raise ConfigError("probs", given, "give probabilities that add up to 1")
    return tuple(p / sum(given) for p in given)


def _candidates(recipe: Recipe, p: float) -> list[tuple[Recipe, float]]:
    """Return the recipe with its probability; those of a nested choice, which would otherwise share one draw."""
    if isinstance(recipe, OneOf):
        return [(inner, p * q) for inner, q in zip(recipe.recipes, recipe.probs, strict=True)]
    return [(recipe, p)]
