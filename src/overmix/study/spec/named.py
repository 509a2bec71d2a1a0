"""A recipe and a schedule as a study names them, ready to be built; the data's and model's own are in the schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from overmix.mix import Recipe
from overmix.study.spec.recipes import build_recipe
from overmix.switch import HeldOut, Policy, Schedule, make_schedule, schedule_name

_LEFT_OUT = ("masks",)
"""Parameters that are left out where they are None: the recipe is then the one that it was before there were such
parameters, and its cells keep their ids. One that is added to a published recipe belongs here."""


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe by its name, registered or ``module:Recipe``, with its parameters.

    Example:
        >>> NamedRecipe("Mixup", {"alpha": 0.4}).build().coefficient
        BetaCoefficient(alpha=0.4, per='batch')
    """

    name: str
    parameters: Mapping[str, Any]

    @property
    def written(self) -> dict[str, dict[str, Any]]:
        """As a study file writes it."""
        return {self.name: {k: _written(v) for k, v in self.parameters.items() if v is not None or k not in _LEFT_OUT}}

    def build(self) -> Recipe:
        """Return the recipe.

        Raises:
            ConfigError: for an unknown name or parameter, or a value that cannot work.
        """
        return build_recipe(self.name, **self.parameters)


def _written(value: Any) -> Any:
    """Return a parameter; the recipes that OneOf chooses from are written as it is."""
    if not isinstance(value, list):
        return value
    return [NamedRecipe(*next(iter(v.items()))).written if _is_recipe(v) else v for v in value]


def _is_recipe(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and isinstance(next(iter(value.values())), Mapping)


@dataclass(frozen=True)
class NamedSchedule:
    """A schedule or policy as a study file writes it.

    Example:
        >>> NamedSchedule({"off_at": 128}).build()
        OffAt(when=128)
        >>> NamedSchedule("auto").decides
        True
    """

    written: str | Mapping[str, Any]

    @property
    def name(self) -> str:
        """What is named: ``off_at``, ``auto``, or ``module:Policy``."""
        return schedule_name(self.written)

    def build(self) -> Schedule | Policy | HeldOut:
        """Return what it names.

        Raises:
            ConfigError: for an unknown name or a setting that cannot work.
        """
        return make_schedule(self.written)

    def mixed_epochs(self, epochs: int) -> int | None:
        """Return the number of epochs that are mixed before the rest is not; None if that is not so, or not known."""
        schedule = self.build()
        return None if isinstance(schedule, Policy | HeldOut) else schedule.mixed_epochs(epochs)

    @property
    def decides(self) -> bool:
        """Whether runs decide by themselves when to switch."""
        return isinstance(self.build(), Policy | HeldOut)
