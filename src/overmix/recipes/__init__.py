"""The methods: one file each, a few lines of composition."""

from overmix.recipes.anchor_mixup import AnchorMixup
from overmix.recipes.c_mixup import CMixup
from overmix.recipes.confident_mixup import ConfidentMixup, confident_labels
from overmix.recipes.cutmix import CutMix
from overmix.recipes.lisa import LISA
from overmix.recipes.loss_mix import LossMix, PairTarget
from overmix.recipes.m3co import M3Co, MultimodalOutput
from overmix.recipes.manifold_mixup import ManifoldMixup
from overmix.recipes.mixco import BiMixCo, GroupedMixCo, MixCo, SoftCLIP
from overmix.recipes.mixup import Mixup
from overmix.recipes.mixup_without_hesitation import MixupWithoutHesitation
from overmix.recipes.no_mixup import NoMixup
from overmix.recipes.one_of import OneOf
from overmix.recipes.prompt_mixup import PromptMixup
from overmix.recipes.registry import RecipeEntry, make_recipe, register, registered, unregister
from overmix.recipes.regmixup import RegMixup
from overmix.recipes.selective_mixup import SelectiveMixup
from overmix.recipes.semantic_equivariant_mixup import SemanticEquivariantMixup
from overmix.recipes.sk_mixup import SKMixup

__all__ = [
    "LISA",
    "AnchorMixup",
    "BiMixCo",
    "CMixup",
    "ConfidentMixup",
    "CutMix",
    "GroupedMixCo",
    "LossMix",
    "M3Co",
    "ManifoldMixup",
    "MixCo",
    "Mixup",
    "MixupWithoutHesitation",
    "MultimodalOutput",
    "NoMixup",
    "OneOf",
    "PairTarget",
    "PromptMixup",
    "RecipeEntry",
    "RegMixup",
    "SKMixup",
    "SelectiveMixup",
    "SemanticEquivariantMixup",
    "SoftCLIP",
    "confident_labels",
    "make_recipe",
    "register",
    "registered",
    "unregister",
]
