"""The rows of the census: every recipe with the task that it is made for.

Parameters are the recipe's defaults, unless said here.
"""

from __future__ import annotations

from overmix.experiments.census.row import Control, Row
from overmix.experiments.census.tasks.classification import Classification
from overmix.experiments.census.tasks.regression import Diabetes
from overmix.recipes import (
    CMixup,
    CutMix,
    ManifoldMixup,
    Mixup,
    MixupWithoutHesitation,
    RegMixup,
    SemanticEquivariantMixup,
    SKMixup,
)
from overmix.switch import Hesitation

_DIGITS = Classification()
_MNIST1D = Classification(dataset="mnist1d", train_size=400, val_size=400, epochs=400)
_LAYERS = ("input", "2", "4")

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
    # Values are scaled to variance 1; half a standard deviation is our choice.
    Row("CMixup", CMixup(sigma=0.5), Diabetes(), controls={"any partner": Control(CMixup(sigma=float("inf")))}),
)
