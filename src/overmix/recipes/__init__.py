"""The methods: one file each, a few lines of composition."""

from overmix.recipes.mixup import Mixup
from overmix.recipes.no_mixup import NoMixup
from overmix.recipes.registry import RecipeEntry, make_recipe, register, registered, unregister

__all__ = ["Mixup", "NoMixup", "RecipeEntry", "make_recipe", "register", "registered", "unregister"]
