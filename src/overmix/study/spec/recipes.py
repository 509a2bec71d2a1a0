"""The recipes that a study can name: registered ones, and by ``module:Recipe`` those of the user's own module."""

from __future__ import annotations

from typing import Any

from overmix.errors import ConfigError, did_you_mean
from overmix.import_path import import_attribute
from overmix.mix import Recipe
from overmix.recipes import RecipeEntry, make_recipe, registered


def check_recipe_name(name: str, *, allow_code: bool) -> None:
    """Refuse a name that is neither registered nor an import path that may be used.

    Raises:
        ConfigError: for an unknown name, or an import path without permission.
    """
    if ":" in name:
        if not allow_code:
            raise ConfigError("recipe", name, "an import path runs that module's code: allow it with --allow-code")
    elif name not in registered():
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
    if ":" not in name:
        return registered()[name]
    found = import_attribute(name, field="recipe", form="module:Recipe, such as my_methods:MyMixup")
    entry = next((entry for entry in registered().values() if entry.recipe is found), None)
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
    return make_recipe(recipe_entry(name).name, **parameters)
