"""Phases: one recipe after another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from overmix.errors import ConfigError
from overmix.mix import Recipe
from overmix.switch.schedule import OffAt

EXAMPLE = "[(0, overmix.Mixup(alpha=1.0)), (0.8, None)]"


@dataclass(frozen=True)
class Phases:
    """Mix with ``recipe_i`` from ``start_i`` until ``start_{i+1}``, the last one to the end.

    In the place of a recipe: ``Epochs(300, mix=Phases(...))``. ``None`` is plain training. A switch or a policy beside
    it still says when nothing is mixed at all. Each batch's random numbers have the address that they have under any
    recipe, so that until the first change a run is that of the first recipe alone.

    Args:
        parts: pairs ``(start, recipe)``: an integer is a zero-based epoch, a float in [0, 1) a share of the training,
            rounded down to whole epochs. The first is 0, and the starts increase.

    Raises:
        ConfigError: if the starts do not increase from 0, or no part is a recipe.

    Example:
        >>> from overmix.recipes import CutMix, Mixup
        >>> mix = Phases([(0, Mixup(alpha=1.0)), (0.5, CutMix(alpha=1.0)), (8, None)])
        >>> [type(mix.at(epoch, epochs=10)).__name__ for epoch in (0, 4, 5, 7, 8, 9)]
        ['Mixup', 'Mixup', 'CutMix', 'CutMix', 'NoneType', 'NoneType']
    """

    parts: tuple[tuple[int | float, Recipe | None], ...]

    def __post_init__(self) -> None:
        try:
            parts = tuple((start, recipe) for start, recipe in self.parts)
        except (TypeError, ValueError):
            raise ConfigError("phases", self.parts, f"give pairs of start and recipe: {EXAMPLE}") from None
        object.__setattr__(self, "parts", parts)
        for number, (start, recipe) in enumerate(parts):
            _check_start(number, start)
            if recipe is not None and not isinstance(recipe, Recipe):
                raise ConfigError(f"phases[{number}]", recipe, f"give a recipe, or None for plain training: {EXAMPLE}")
        if not parts or parts[0][0] != 0 or all(recipe is None for _, recipe in parts):
            raise ConfigError("phases", parts, f"begin at 0, with one recipe or more: {EXAMPLE}")

    def starts(self, epochs: int) -> tuple[int, ...]:
        """Return the zero-based epoch at which each part begins.

        Raises:
            ConfigError: if a part would never begin, or not after the one before it.
        """
        starts = tuple(OffAt(start).epoch(epochs) for start, _ in self.parts)
        for number, (before, start) in enumerate(pairwise([*starts, epochs])):
            if start <= before:
                part, ends = (number + 1, f"after epoch {before}") if number + 1 < len(starts) else (number, "earlier")
                raise ConfigError(
                    f"phases[{part}]", self.parts[part][0], f"let it begin {ends}: there are {epochs} epochs, from 0"
                )
        return starts

    def at(self, epoch: int, epochs: int) -> Recipe | None:
        """Return the recipe of a zero-based epoch in a training of ``epochs`` epochs; None where nothing is mixed."""
        begun = [recipe for start, (_, recipe) in zip(self.starts(epochs), self.parts, strict=True) if start <= epoch]
        return begun[-1]

    @property
    def off_doubt(self) -> str:
        """The task of the first recipe for one where switching off has done harm; empty if there is none."""
        return next((recipe.off_doubt for _, recipe in self.parts if recipe is not None and recipe.off_doubt), "")

    def some(self) -> Recipe:
        """Return one of the recipes, for the types that an unmixed batch has."""
        return next(recipe for _, recipe in self.parts if recipe is not None)


def _check_start(number: int, start: object) -> None:
    remedy = "use an epoch (128) or a share of all epochs (0.5)"
    try:
        OffAt(start)  # type: ignore[arg-type]
    except ConfigError:
        raise ConfigError(f"phases[{number}]", start, remedy) from None
    if not hasattr(start, "__index__") and start == 1:
        raise ConfigError(f"phases[{number}]", start, "it would never begin: use a share below 1")
