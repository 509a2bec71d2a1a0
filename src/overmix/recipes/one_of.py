"""One of several recipes for each batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from overmix._typing import LabelKind
from overmix.errors import ConfigError
from overmix.mix import Draws, MixPlan, Need, Objective, OneOfSpace, Recipe, SideInfo, StreamSource
from overmix.mix.remembered import said


class OneOf(Recipe):
    """Each batch is mixed by one of several recipes, drawn with given probabilities.

    All recipes draw the numbers that they would draw alone, so that every batch is one that some of them would have
    made by itself.

    Args:
        *recipes: the candidates, at least one; another ``OneOf`` counts as its own candidates.
        probs: their probabilities; equal by default.

    Raises:
        ConfigError: if there is no recipe, or one has an objective of its own, or no kind of labels is common to all,
            or two differ in what must be one for all (the usual loss, the layer that features come from, how labels
            are made of predictions), or the probabilities do not fit.

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
        self.for_labels = _common_labels(self.recipes)
        self.usual_loss = _common_loss(self.recipes)
        self.feature_layer = _common_layer(self.recipes)
        self._relabels = _common_relabelling(self.recipes)
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

    def relabelled(self, y: Tensor, output: Tensor) -> Tensor:
        """Return the labels that the recipe which needs predictions makes of them, whichever recipe mixes."""
        return y if self._relabels is None else self._relabels.relabelled(y, output)

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


def _common_labels(recipes: Sequence[Recipe]) -> tuple[LabelKind, ...]:
    """Return the kinds of labels that all of the recipes are for.

    Raises:
        ConfigError: if there is none.
    """
    first, *others = recipes
    common = tuple(kind for kind in first.for_labels if all(kind in other.for_labels for other in others))
    if not common:
        kinds = [f"{type(recipe).__name__} is for {' or '.join(recipe.for_labels)}" for recipe in recipes]
        raise ConfigError("recipes", list(recipes), f"give recipes for one kind of labels: {', '.join(kinds)}")
    return common


def _common_loss(recipes: Sequence[Recipe]) -> Objective | None:
    """Return the loss that those of the recipes are usually trained with that have one: others are for any.

    Raises:
        ConfigError: if there are two.
    """
    losses = {_written(recipe.usual_loss): recipe.usual_loss for recipe in recipes if recipe.usual_loss is not None}
    if len(losses) > 1:
        raise ConfigError(
            "recipes", list(recipes), f"give recipes of one usual loss, not {' and '.join(sorted(losses))}"
        )
    return next(iter(losses.values()), None)


def _common_layer(recipes: Sequence[Recipe]) -> str | None:
    """Return the layer that features come from, for those of the recipes that need them.

    Raises:
        ConfigError: if there are two.
    """
    layers = {recipe.feature_layer for recipe in recipes if "features" in recipe.needs}
    if len(layers) > 1:
        raise ConfigError("recipes", list(recipes), "give recipes whose features come from one layer")
    return next(iter(layers), None)


def _common_relabelling(recipes: Sequence[Recipe]) -> Recipe | None:
    """Return the recipe that makes labels of predictions, if there is one.

    Raises:
        ConfigError: if there are two that would make others, by what they hold beside pairing, coefficient and space.
    """
    asking = [recipe for recipe in recipes if "predictions" in recipe.needs]
    made_by = {_written(recipe, but=("pairing", "coefficient", "space")) for recipe in asking}
    if len(made_by) > 1:
        remedy = f"give recipes that make labels of predictions in one way, not {' and '.join(sorted(made_by))}"
        raise ConfigError("recipes", list(recipes), remedy)
    return asking[0] if asking else None


def _written(part: object, but: Sequence[str] = ()) -> str:
    """Return the class of a part and what it holds, such as ``Retrieval(temperature=0.1)``."""
    held = [f"{name}={said(value)}" for name, value in sorted(vars(part).items()) if name not in but]
    return f"{type(part).__name__}({', '.join(held)})"


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
