"""How samples are mixed: plans, random streams, pairing, coefficient, space, target, and their composition."""

from overmix.mix.coefficient import BetaCoefficient, Coefficient, FixedCoefficient, Per
from overmix.mix.draws import Draws
from overmix.mix.hidden import HiddenSpace
from overmix.mix.one_of import OneOfSpace
from overmix.mix.pairing import Pairing, RandomPairing, SelfPairing
from overmix.mix.patch import Axes, PatchSpace
from overmix.mix.plan import MixPlan
from overmix.mix.random import Stream, StreamCursor, Streams, StreamSource, streams_from
from overmix.mix.recipe import Recipe, check_batch, sample_shape
from overmix.mix.side import Need, SideInfo
from overmix.mix.space import InputSpace, Space, gather_partners
from overmix.mix.target import IGNORE_INDEX, MixedTarget, mixed_cross_entropy

__all__ = [
    "IGNORE_INDEX",
    "Axes",
    "BetaCoefficient",
    "Coefficient",
    "Draws",
    "FixedCoefficient",
    "HiddenSpace",
    "InputSpace",
    "MixPlan",
    "MixedTarget",
    "Need",
    "OneOfSpace",
    "Pairing",
    "PatchSpace",
    "Per",
    "RandomPairing",
    "Recipe",
    "SelfPairing",
    "SideInfo",
    "Space",
    "Stream",
    "StreamCursor",
    "StreamSource",
    "Streams",
    "check_batch",
    "gather_partners",
    "mixed_cross_entropy",
    "sample_shape",
    "streams_from",
]
