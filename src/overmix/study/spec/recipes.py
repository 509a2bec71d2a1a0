"""The recipes that a study can name: registered ones, and by ``module:Recipe`` those of the user's own module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overmix.errors import ConfigError, did_you_mean
from overmix.import_path import import_attribute
from overmix.mix import Recipe
from overmix.recipes import OneOf, RecipeEntry, make_recipe, registered

ONE_OF = "OneOf"
"""The name of a choice between recipes, which is none itself."""

_ONE_OF = RecipeEntry(
    ONE_OF,
    OneOf,
    "a choice for each batch; common practice",
    {"recipes": (), "probs": None},
    "that of the recipe that was drawn",
    "every batch",
)


def check_recipe_name(name: str, *, allow_code: bool) -> None:
    """Refuse a name that is neither registered nor an import path that may be used.

    Raises:
        ConfigError: for an unknown name, or an import path without permission.
    """
    if ":" in name:
        if not allow_code:
            raise ConfigError("recipe", name, "an import path runs that module's code: allow it with --allow-code")
    elif name != ONE_OF and name not in registered():
        raise ConfigError("recipe", name, f"{did_you_mean(name, registered())}, or module:Recipe of your own")


def recipe_entry(name: str) -> RecipeEntry:
    """Return what is known about a recipe; the module of an import path is imported, wherever the study runs.

    Raises:
        ConfigError: if there is no such recipe.

    Example:
        >>> recipe_entry("Mixup").defaults
        {'alpha': 1.0, 'per': 'batch', 'masks': None}
    """
    check_recipe_name(name, allow_code=True)
    if name == ONE_OF:
        return _ONE_OF
    if ":" not in name:
        return registered()[name]
    recipe = import_attribute(name, field="recipe", form="module:Recipe, such as my_methods:MyMixup")
    entry = next((entry for entry in registered().values() if entry.recipe is recipe), None)
    if entry is None:
        raise ConfigError("recipe", name, "decorate the class with overmix.recipes.register")
    return entry


def build_recipe(name: str, **parameters: Any) -> Recipe:
    """Return a recipe with its parameters.

    Raises:
        ConfigError: for an unknown name or parameter, or a value that cannot work.

    Example:
        >>> build_recipe("Mixup", alpha=0.4).coefficient
        BetaCoefficient(alpha=0.4, per='batch')
    """
    if name == ONE_OF:
        given = [(inner, build_recipe(inner, **of)) for inner, of in candidates(parameters)]
        return OneOf(*(recipe for _, recipe in given), probs=parameters.get("probs"))
    return make_recipe(recipe_entry(name).name, **parameters)


def filled_recipe(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe as cells hold it, every default written out.

    Example:
        >>> filled = filled_recipe("OneOf", {"recipes": ["NoMixup", {"Mixup": {"alpha": 2}}]})["OneOf"]
        >>> filled["recipes"][0], filled["recipes"][1]["Mixup"]["alpha"], filled["probs"]
        ({'NoMixup': {}}, 2.0, None)
    """
    filled = with_defaults(parameters, recipe_entry(name).defaults)
    if name == ONE_OF:
        filled["recipes"] = [filled_recipe(inner, of) for inner, of in candidates(parameters)]
    return {name: filled}


def recipe_names(recipe: Mapping[str, Any]) -> list[str]:
    """Return the name of a recipe, and those of its candidates if it is one of several."""
    name, parameters = next(iter(recipe.items()))
    if name != ONE_OF:
        return [name]
    return [name, *(inner for of, given in candidates(parameters) for inner in recipe_names({of: given}))]


def with_defaults(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with their defaults, so that what is written out and what is left out are the same cell."""
    filled = {**defaults, **given}
    for name, default in defaults.items():
        if isinstance(default, float) and isinstance(filled[name], int):
            filled[name] = float(filled[name])
    return {name: list(value) if isinstance(value, tuple) else value for name, value in filled.items()}


def candidates(parameters: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return names and parameters of the recipes that OneOf chooses from.

    Raises:
        ConfigError: if they are not written as recipes are.
    """
    written = parameters.get("recipes")
    if not isinstance(written, list | tuple) or not written:
        raise ConfigError("recipe.OneOf", written, "write a list of recipes: [{Mixup: {alpha: 0.8}}, CutMix]")
    pairs = []
    for entry in written:
        single = {entry: {}} if isinstance(entry, str) else entry
        inner = next(iter(single.values()), None) if isinstance(single, Mapping) and len(single) == 1 else ()
        if not isinstance(inner, Mapping | list | None):
            raise ConfigError("recipe.OneOf", entry, "write each recipe as Mixup or {Mixup: {alpha: 0.8}}")
        pairs.append((next(iter(single)), one_of_parameters(inner)))
    return pairs


def one_of_parameters(written: Any) -> dict[str, Any]:
    """Return a recipe's parameters; a list alone is what OneOf chooses from."""
    return {"recipes": list(written)} if isinstance(written, list | tuple) else dict(written or {})
