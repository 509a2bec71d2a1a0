"""The rows of the census: every recipe with the task that it is made for.

Parameters are the recipe's defaults, unless said here.
"""

from __future__ import annotations

from overmix.experiments.census.row import Control, Row
from overmix.experiments.census.tasks.classification import Classification
from overmix.experiments.census.tasks.detection import Scenes, detection_loss
from overmix.experiments.census.tasks.graphs import Triangles
from overmix.experiments.census.tasks.multimodal import TwoViews
from overmix.experiments.census.tasks.prompt import Prompts
from overmix.experiments.census.tasks.regression import Diabetes
from overmix.experiments.census.tasks.retrieval import TEMPERATURE, Halves
from overmix.experiments.census.tasks.semi import FewLabels
from overmix.experiments.census.tasks.shift import ColouredDigits, ImbalancedDigits
from overmix.experiments.census.tasks.voxels import Voxels
from overmix.mix import CoinCoefficient, Recipe
from overmix.recipes import (
    LISA,
    AnchorMixup,
    BiMixCo,
    CMixup,
    ConfidentMixup,
    CutMix,
    GroupedMixCo,
    LossMix,
    M3Co,
    ManifoldMixup,
    MixCo,
    Mixup,
    MixupWithoutHesitation,
    PromptMixup,
    RegMixup,
    SelectiveMixup,
    SemanticEquivariantMixup,
    SKMixup,
)
from overmix.switch import Hesitation, OnFrom

_DIGITS = Classification()
_MNIST1D = Classification(dataset="mnist1d", train_size=400, val_size=400, epochs=400)
_LAYERS = ("input", "2", "4")
_RESAMPLED = "resampled, not mixed"
_PLAIN = "plain contrast"


def _contrastive(name: str, recipe: type[MixCo] | type[BiMixCo] | type[GroupedMixCo], task: Halves) -> Row:
    return Row(
        name,
        recipe(temperature=TEMPERATURE),
        task,
        controls={_PLAIN: Control(recipe(probability=0.0, temperature=TEMPERATURE))},
        off="SoftCLIP",
        erm=_PLAIN,
    )


def _selective(variant: str, task: Classification, **who: str) -> Row:
    return Row(
        "SelectiveMixup",
        SelectiveMixup(**who),  # type: ignore[arg-type]
        task,
        variant,
        controls={_RESAMPLED: Control(SelectiveMixup(**who, mix=False))},  # type: ignore[arg-type]
    )


ROWS = (
    Row("Mixup", Mixup(alpha=1.0), _DIGITS, "digits"),
    Row("Mixup", Mixup(alpha=1.0), _MNIST1D, "mnist1d"),
    # Beta(50, 50) has a standard deviation of 0.05: every mixture is far from both samples.
    Row("Mixup", Mixup(alpha=50.0), _DIGITS, "half"),
    Row("CutMix", CutMix(), _DIGITS),
    Row("ManifoldMixup", ManifoldMixup(layers=_LAYERS), _DIGITS, "digits"),
    Row("ManifoldMixup", ManifoldMixup(layers=_LAYERS), _MNIST1D, "mnist1d"),
    Row("RegMixup", RegMixup(), _DIGITS),
    Row(
        "MixupWithoutHesitation",
        MixupWithoutHesitation(),
        _DIGITS,
        controls={"its schedule": Control(MixupWithoutHesitation(), Hesitation())},
    ),
    Row("SKMixup", SKMixup(), _DIGITS),
    Row("SemanticEquivariantMixup", SemanticEquivariantMixup(), _DIGITS),
    # Values are scaled to variance 1 over the training set; half a standard deviation of it is our choice.
    Row(
        "CMixup",
        CMixup(sigma=0.5, unit="label"),
        Diabetes(),
        controls={"any partner": Control(CMixup(sigma=float("inf")))},
    ),
    Row(
        "LISA",
        LISA(),
        ColouredDigits(),
        controls={_RESAMPLED: Control(Recipe(LISA().pairing, CoinCoefficient()))},
    ),
    _selective("imbalanced", ImbalancedDigits()),
    _selective("coloured", ColouredDigits(), label="same", domain="different"),
    # The authors' intervals are of the whole training set; a batch is half of it here.
    Row(
        "AnchorMixup",
        AnchorMixup(intervals=8, layer="readout"),
        Triangles(),
        controls={"on from a quarter": Control(AnchorMixup(intervals=8, layer="readout"), OnFrom(0.25))},
    ),
    _contrastive("MixCo", MixCo, Halves()),
    _contrastive("BiMixCo", BiMixCo, Halves()),
    _contrastive("GroupedMixCo", GroupedMixCo, Voxels()),
    Row("M3Co", M3Co(), TwoViews(), controls={_PLAIN: Control(M3Co(probability=0.0))}, off="SoftCLIP", erm=_PLAIN),
    Row("ConfidentMixup", ConfidentMixup(), FewLabels()),
    Row("PromptMixup", PromptMixup(), Prompts()),
    Row("LossMix", LossMix(criterion=detection_loss), Scenes()),
)
