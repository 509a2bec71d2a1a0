"""The methods: one file each, a few lines of composition."""

from overmix.recipes.cutmix import CutMix
from overmix.recipes.manifold_mixup import ManifoldMixup
from overmix.recipes.mixup import Mixup
from overmix.recipes.no_mixup import NoMixup
from overmix.recipes.one_of import OneOf
from overmix.recipes.registry import RecipeEntry, make_recipe, register, registered, unregister

__all__ = [
    "CutMix",
    "ManifoldMixup",
    "Mixup",
    "NoMixup",
    "OneOf",
    "RecipeEntry",
    "make_recipe",
    "register",
    "registered",
    "unregister",
]
