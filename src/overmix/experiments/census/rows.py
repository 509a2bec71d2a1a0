"""The rows of the census: every recipe with the task that it is made for.

Parameters are the recipe's defaults, unless said here. A row is a study or, where loss, data or being off are of a kind
that studies do not have, a user's loop.
"""

from __future__ import annotations

from typing import Any

from overmix.experiments.census.collection import Collection
from overmix.experiments.census.data import coloured_digits, diabetes, imbalanced_digits
from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.study_row import Setting, StudyRow
from overmix.experiments.census.tasks.detection import Scenes, detection_loss
from overmix.experiments.census.tasks.graphs import Triangles
from overmix.experiments.census.tasks.multimodal import TwoViews
from overmix.experiments.census.tasks.prompt import Prompts
from overmix.experiments.census.tasks.retrieval import TEMPERATURE, Halves
from overmix.experiments.census.tasks.semi import FewLabels
from overmix.experiments.census.tasks.voxels import Voxels
from overmix.recipes import (
    AnchorMixup,
    BiMixCo,
    ConfidentMixup,
    GroupedMixCo,
    LossMix,
    M3Co,
    MixCo,
    PromptMixup,
)
from overmix.switch import OnFrom

_TRAIN = {"batch_size": 50, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}}
_PERCEPTRON = {"name": "mlp", "hidden": [128, 128]}
_DIGITS = Setting(
    title="classification",
    metric="test error",
    kind="error",
    data={"name": "digits", "train_size": 200, "val_size": 200},
    model=_PERCEPTRON,
    train={"epochs": 600, **_TRAIN},
)
_MNIST1D = Setting(
    title="classification: MNIST-1D",
    metric="test error",
    kind="error",
    data={"name": "mnist1d", "train_size": 400, "val_size": 400},
    model=_PERCEPTRON,
    train={"epochs": 400, **_TRAIN},
)
_COLOURED = Setting(
    title="classification: coloured digits",
    metric="test error, every digit in both colours",
    kind="error",
    data={"name": "npz", "path": "coloured-digits.npz", "train_size": 400},
    model=_PERCEPTRON,
    train={"epochs": 300, "batch_size": 50, "optimizer": {"name": "sgd", "lr": 0.03, "momentum": 0.9}},
    arrays=coloured_digits,
)
_IMBALANCED = Setting(
    title="classification: imbalanced digits",
    metric="test error, classes equally frequent",
    kind="error",
    data={"name": "npz", "path": "imbalanced-digits.npz", "train_size": 150},
    model=_PERCEPTRON,
    train={"epochs": 600, **_TRAIN},
    arrays=imbalanced_digits,
)
_DIABETES = Setting(
    title="regression: diabetes",
    metric="mean squared error over the variance of the training values",
    kind="value",
    data={"name": "npz", "path": "diabetes.npz", "labels": "values", "train_size": 120, "val_size": 120},
    model={"name": "mlp", "hidden": [64, 64]},
    train={"epochs": 300, "batch_size": 30, "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9}},
    arrays=diabetes,
)
_LAYERS = {"layers": ["input", "2", "4"]}
_RESAMPLED = "resampled, not mixed"
_PLAIN = "plain contrast"


def _contrastive(name: str, recipe: type[MixCo] | type[BiMixCo] | type[GroupedMixCo], task: Halves) -> Row:
    return LoopRow(
        recipe_name=name,
        method=recipe(temperature=TEMPERATURE),
        task=task,
        controls={_PLAIN: Control(recipe(probability=0.0, temperature=TEMPERATURE))},
        off="SoftCLIP",
        erm=_PLAIN,
    )


def _resampling(name: str, variant: str, setting: Setting, **parameters: Any) -> Row:
    """Return the row of a recipe that resamples, beside the control that does nothing else."""
    return StudyRow(
        recipe_name=name,
        variant=variant,
        setting=setting,
        parameters=parameters,
        controls={_RESAMPLED: {"recipe": {name: {**parameters, "mix": False}}}},
    )


ROWS: tuple[Row, ...] = (
    StudyRow(recipe_name="Mixup", variant="digits", setting=_DIGITS),
    StudyRow(recipe_name="Mixup", variant="mnist1d", setting=_MNIST1D),
    # Beta(50, 50) has a standard deviation of 0.05: every mixture is far from both samples.
    StudyRow(recipe_name="Mixup", variant="half", setting=_DIGITS, parameters={"alpha": 50.0}),
    StudyRow(recipe_name="CutMix", setting=_DIGITS),
    StudyRow(recipe_name="ManifoldMixup", variant="digits", setting=_DIGITS, parameters=_LAYERS),
    StudyRow(recipe_name="ManifoldMixup", variant="mnist1d", setting=_MNIST1D, parameters=_LAYERS),
    StudyRow(recipe_name="RegMixup", setting=_DIGITS),
    StudyRow(
        recipe_name="MixupWithoutHesitation",
        setting=_DIGITS,
        controls={"its schedule": {"recipe": "MixupWithoutHesitation", "schedule": "hesitation"}},
    ),
    StudyRow(recipe_name="SKMixup", setting=_DIGITS),
    StudyRow(recipe_name="SemanticEquivariantMixup", setting=_DIGITS),
    # Values are scaled to variance 1 over the training set; half a standard deviation of it is our choice.
    StudyRow(
        recipe_name="CMixup",
        setting=_DIABETES,
        parameters={"sigma": 0.5, "unit": "label"},
        controls={"any partner": {"recipe": {"Mixup": {"alpha": 2.0}}}},
    ),
    _resampling("LISA", "", _COLOURED),
    _resampling("SelectiveMixup", "imbalanced", _IMBALANCED),
    _resampling("SelectiveMixup", "coloured", _COLOURED, label="same", domain="different"),
    # The authors' intervals are of the whole training set; a batch is half of it here.
    LoopRow(
        recipe_name="AnchorMixup",
        method=AnchorMixup(intervals=8, layer="readout"),
        task=Triangles(),
        controls={"on from a quarter": Control(AnchorMixup(intervals=8, layer="readout"), OnFrom(0.25))},
    ),
    _contrastive("MixCo", MixCo, Halves()),
    _contrastive("BiMixCo", BiMixCo, Halves()),
    _contrastive("GroupedMixCo", GroupedMixCo, Voxels()),
    LoopRow(
        recipe_name="M3Co",
        method=M3Co(),
        task=TwoViews(),
        controls={_PLAIN: Control(M3Co(probability=0.0))},
        off="SoftCLIP",
        erm=_PLAIN,
    ),
    LoopRow(recipe_name="ConfidentMixup", method=ConfidentMixup(), task=FewLabels()),
    LoopRow(recipe_name="PromptMixup", method=PromptMixup(), task=Prompts()),
    LoopRow(recipe_name="LossMix", method=LossMix(criterion=detection_loss), task=Scenes()),
)

SMALL = Collection("census", seeds=12, rows=lambda: ROWS)
"""A small task for every recipe."""
