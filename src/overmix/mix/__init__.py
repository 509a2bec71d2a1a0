"""How samples are mixed: plans, random streams, pairing, coefficient, space, target, and their composition."""

from overmix.mix.coefficient import BetaCoefficient, Coefficient, FixedCoefficient, Per
from overmix.mix.pairing import Pairing, RandomPairing, SelfPairing
from overmix.mix.plan import MixPlan
from overmix.mix.random import Stream, StreamCursor, Streams, StreamSource, streams_from
from overmix.mix.recipe import Draws, Recipe, check_batch, sample_shape
from overmix.mix.space import InputSpace, Space, lerp_with_partner
from overmix.mix.target import IGNORE_INDEX, MixedTarget, mixed_cross_entropy

__all__ = [
    "IGNORE_INDEX",
    "BetaCoefficient",
    "Coefficient",
    "Draws",
    "FixedCoefficient",
    "InputSpace",
    "MixPlan",
    "MixedTarget",
    "Pairing",
    "Per",
    "RandomPairing",
    "Recipe",
    "SelfPairing",
    "Space",
    "Stream",
    "StreamCursor",
    "StreamSource",
    "Streams",
    "check_batch",
    "lerp_with_partner",
    "mixed_cross_entropy",
    "sample_shape",
    "streams_from",
]
