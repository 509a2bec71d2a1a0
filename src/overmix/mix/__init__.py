"""How samples are mixed: plans, random streams, pairing, coefficient, space, target, and their composition."""

from overmix.mix.coefficient import BetaCoefficient, Coefficient, FixedCoefficient, Per
from overmix.mix.coefficient_shapes import CoinCoefficient, FoldedCoefficient, GatedCoefficient
from overmix.mix.contrastive import ContrastiveTarget, MatchDirection, SoftClipTarget, cosine_annealed
from overmix.mix.cross_entropy import IGNORE_INDEX, Reduction, mixed_cross_entropy
from overmix.mix.draws import Draws
from overmix.mix.grouped import GroupPairing, LabelledPairing, permute_within
from overmix.mix.hidden import HiddenSpace
from overmix.mix.label_entropy import EntropyLoss, label_entropy
from overmix.mix.masks import MaskRule, Masks
from overmix.mix.objective import (
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    LabelKind,
    Objective,
    PartlyLabelled,
    Retrieval,
    SquaredError,
    WithGradient,
    make_objective,
    usual_objective,
)
from overmix.mix.one_of import OneOfSpace
from overmix.mix.pairing import Pairing, RandomPairing, SelfPairing
from overmix.mix.patch import Axes, PatchSpace
from overmix.mix.plan import MixPlan
from overmix.mix.random import Stream, StreamCursor, Streams, StreamSource, streams_from
from overmix.mix.recipe import Recipe, batch_size_of, check_batch, device_of, sample_shape
from overmix.mix.selective import Relation, SelectivePairing
from overmix.mix.side import Need, SideInfo
from overmix.mix.similarity import SimilarityCoefficient
from overmix.mix.space import InputSpace, Space, gather_partners
from overmix.mix.target import MixedTarget
from overmix.mix.weighted import KernelPairing, WeightedPairing

__all__ = [
    "IGNORE_INDEX",
    "AbsoluteError",
    "Axes",
    "BetaCoefficient",
    "BinaryCrossEntropy",
    "Coefficient",
    "CoinCoefficient",
    "ContrastiveTarget",
    "CrossEntropy",
    "Draws",
    "EntropyLoss",
    "FixedCoefficient",
    "FoldedCoefficient",
    "GatedCoefficient",
    "GroupPairing",
    "HiddenSpace",
    "InputSpace",
    "KernelPairing",
    "LabelKind",
    "LabelledPairing",
    "MaskRule",
    "Masks",
    "MatchDirection",
    "MixPlan",
    "MixedTarget",
    "Need",
    "Objective",
    "OneOfSpace",
    "Pairing",
    "PartlyLabelled",
    "PatchSpace",
    "Per",
    "RandomPairing",
    "Recipe",
    "Reduction",
    "Relation",
    "Retrieval",
    "SelectivePairing",
    "SelfPairing",
    "SideInfo",
    "SimilarityCoefficient",
    "SoftClipTarget",
    "Space",
    "SquaredError",
    "Stream",
    "StreamCursor",
    "StreamSource",
    "Streams",
    "WeightedPairing",
    "WithGradient",
    "batch_size_of",
    "check_batch",
    "cosine_annealed",
    "device_of",
    "gather_partners",
    "label_entropy",
    "make_objective",
    "mixed_cross_entropy",
    "permute_within",
    "sample_shape",
    "streams_from",
    "usual_objective",
]
