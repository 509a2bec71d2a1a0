"""The names under which recipes are known in study files and on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from overmix.errors import ConfigError, did_you_mean
from overmix.mix import Need, Recipe

R = TypeVar("R", bound=type[Recipe])


@dataclass(frozen=True)
class RecipeEntry:
    """What is known about a registered recipe.

    Args:
        name: the name in study files.
        recipe: the class.
        source: where the method comes from.
        defaults: its parameters with their default values.
        target: what the model should say, and by which loss.
        schedule: when the authors mix.
        place: what is mixed, if the recipe's space does not say it.
    """

    name: str
    recipe: type[Recipe]
    source: str
    defaults: Mapping[str, Any]
    target: str
    schedule: str
    place: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return name, parameters, source and the choices of the recipe with its default values, for listings."""
        recipe = self.recipe(**self.defaults)
        return {
            "name": self.name,
            "parameters": dict(self.defaults),
            "summary": self.summary,
            "pairing": repr(recipe.pairing),
            "coefficient": repr(recipe.coefficient),
            "space": self.place or repr(recipe.space),
            "target": self.target,
            "schedule": self.schedule,
            "needs": sorted(recipe.needs),
            "study": {
                "runs": self.missing is None,
                "missing": self.missing,
                "labels": list(recipe.for_labels),
                "data": sorted(_ARRAYS[need] for need in recipe.needs & _ARRAYS.keys()),
            },
            "off_doubt": recipe.off_doubt,
            "source": self.source,
        }

    @property
    def missing(self) -> str | None:
        """The single thing that a study lacks for it, or ``None`` if it runs in one."""
        if "modalities" in self.recipe(**self.defaults).needs:
            return "modalities: a study's models take one input and return one output"
        return None

    @property
    def summary(self) -> str:
        """First line of the docstring: the method's equation."""
        return (inspect.getdoc(self.recipe) or "").partition("\n")[0]


_ARRAYS: dict[Need, str] = {"domain": "domain", "views": "view"}
"""What a data set has to bring, by what a recipe needs."""

_ENTRIES: dict[str, RecipeEntry] = {}


def register(
    *,
    source: str,
    target: str = "both labels with their weights, cross-entropy",
    schedule: str = "every batch",
    place: str | None = None,
) -> Callable[[R], R]:
    """Make a recipe usable by its class name in study files and on the command line.

    Args:
        source: the work that the method comes from, for the listing.
        target: what the model should say, and by which loss, for the listing.
        schedule: when the authors mix, for the listing.
        place: what is mixed, for the listing, if the recipe's space does not say it.

    Raises:
        ConfigError: if the name is taken, or a parameter has no default.

    Example:
        >>> from overmix.mix import FixedCoefficient, RandomPairing
        >>> @register(source="this docstring")
        ... class Halves(Recipe):
        ...     '''x' = (x_i + x_j) / 2.'''
        ...     def __init__(self) -> None:
        ...         super().__init__(RandomPairing(), FixedCoefficient(0.5))
        >>> make_recipe("Halves")
        Halves()
        >>> unregister("Halves")
    """

    def add(recipe: R) -> R:
        name = recipe.__name__
        if name in _ENTRIES:
            raise ConfigError("recipe", name, "choose another name: this one is registered already")
        parameters = inspect.signature(recipe).parameters.values()
        without = [p.name for p in parameters if p.default is inspect.Parameter.empty]
        if without:
            raise ConfigError("recipe", name, f"give a default to {', '.join(without)}")
        defaults = {p.name: p.default for p in parameters}
        _ENTRIES[name] = RecipeEntry(name, recipe, source, defaults, target, schedule, place)
        return recipe

    return add


def unregister(name: str) -> None:
    """Forget a registered recipe, for tests and notebooks that define one twice."""
    _ENTRIES.pop(name, None)


def registered() -> dict[str, RecipeEntry]:
    """Return the registered recipes by name, sorted."""
    return dict(sorted(_ENTRIES.items()))


def make_recipe(name: str, **parameters: Any) -> Recipe:
    """Return a registered recipe.

    Args:
        name: as :func:`registered` lists it.
        **parameters: the recipe's own parameters.

    Raises:
        ConfigError: for an unknown name or parameter, with the nearest known one, or a value that cannot work.

    Example:
        >>> make_recipe("Mixpu")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        overmix.errors.ConfigError: recipe = 'Mixpu': did you mean Mixup? known: ...
    """
    entry = _ENTRIES.get(name)
    if entry is None:
        raise ConfigError("recipe", name, did_you_mean(name, _ENTRIES))
    for parameter in parameters:
        if parameter not in entry.defaults:
            remedy = did_you_mean(parameter, entry.defaults) if entry.defaults else f"{name} takes no parameters"
            raise ConfigError(f"recipe {name}: parameter", parameter, remedy)
    recipe: Recipe = entry.recipe(**parameters)
    return recipe
