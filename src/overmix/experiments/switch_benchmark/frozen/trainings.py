"""The trainings of the frozen benchmark. Nothing here may change once the first of them is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Model = Literal["mlp", "convnet", "residual", "tuned"]
OptimizerName = Literal["sgd", "adamw"]
RecipeName = Literal["Mixup1", "Mixup0.2", "Pair"]

RECIPES: Mapping[RecipeName, dict[str, Any]] = {
    "Mixup1": {"Mixup": {"alpha": 1.0}},
    "Mixup0.2": {"Mixup": {"alpha": 0.2}},
    # What timm's scripts for images are usually given.
    "Pair": {"OneOf": [{"Mixup": {"alpha": 0.8}}, {"CutMix": {"alpha": 1.0}}]},
}

RATES: Mapping[OptimizerName, tuple[float, ...]] = {"sgd": (0.01, 0.05, 0.2), "adamw": (3e-4, 1e-3, 5e-3)}
DECAYS: Mapping[OptimizerName, tuple[float, ...]] = {"sgd": (0.0, 5e-4, 5e-3, 2e-2), "adamw": (0.0, 0.01, 0.1, 1.0)}
"""What the learning rate and the weight decay are tuned over, on plain training; Mixup's own weight decay likewise."""

FIRST_DECAY: Mapping[OptimizerName, float] = {"sgd": 5e-4, "adamw": 0.01}
"""The weight decay that the learning rate is tuned at."""

TUNING_SEEDS = (100, 101, 102)
"""Seeds that are used for nothing else."""

_SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4)
"""Switch epochs of the grid, as shares of the training; 0 (ERM) and 1 (Mixup to the end) are candidates too."""

LONG_SHARES = (1 / 8, 1 / 4, 1 / 2, 3 / 4)
"""Where long tails are recorded."""

SHORT_TAILS, LONG_TAILS = (0.02, 0.05), (0.1, 0.2)
"""Lengths of tails, as shares of the training."""

LONGER = 1.3
"""Free schedules are trained so many times as long, too: what a policy may cost."""

AVERAGE = 0.99
"""Decay, per step, of the averaged weights."""

TEST_SAMPLES = 1000
"""At most so many test samples."""


@dataclass(frozen=True)
class Training:
    """One set-up, whose learning rate is cosine.

    Args:
        data: a name of :data:`~overmix.experiments.switch_benchmark.frozen.data.DATA`.
        train_size: training samples per seed.
        val_size: held-out samples per seed.
        epochs: length.
        model: ``"mlp"`` (two hidden layers of 128), ``"convnet"`` (width 8), ``"residual"`` (resnet8, width 4), or
            ``"tuned"``: the convnet, pretrained on other classes.
        recipe: a name of :data:`RECIPES`.
        optimizer: with a cosine learning rate.
        seeds: runs.
        batch_size: B.
    """

    data: str
    train_size: int
    val_size: int
    epochs: int
    model: Model
    recipe: RecipeName
    optimizer: OptimizerName
    seeds: int = 8
    batch_size: int = 50

    @property
    def name(self) -> str:
        """A name that says it all, usable as a file name."""
        return f"{self.data}{self.train_size}-{self.model}-{self.recipe}-{self.optimizer}-{self.epochs}"

    @property
    def group(self) -> str:
        """The data set that it is clustered with: all parts of Fashion-MNIST are one."""
        return "fashion_mnist" if self.data.startswith("fashion") else self.data.removesuffix("_series")

    @property
    def switch_epochs(self) -> list[int]:
        """The grid of switch epochs, 0 and the last included."""
        return sorted({0, *(max(1, round(share * self.epochs)) for share in _SHARES), self.epochs})

    @property
    def long_epochs(self) -> list[int]:
        """Where long tails are recorded."""
        return [round(share * self.epochs) for share in LONG_SHARES]


def tail_epochs(share: float, epochs: int) -> int:
    """Return the length of a tail in epochs, at least 2."""
    return max(2, round(share * epochs))


_SMALL = {
    "australian": (200, 120),
    "blood": (200, 120),
    "dhfr": (120, 60),
    "ionosphere": (120, 80),
    "led7digit": (150, 80),
    "liver": (150, 120),
    "movement_libras": (120, 60),
    "pima": (200, 120),
    "saheart": (150, 80),
    "soybean": (150, 80),
    "wisconsin": (200, 120),
}
"""Training and held-out samples of tables that do not have the usual 200 and 150 to spare."""

_TABLES = (
    "australian",
    "banana",
    "blood",
    "cells",
    "chess",
    "contraceptive",
    "dhfr",
    "ionosphere",
    "led7digit",
    "liver",
    "magic",
    "mammographic",
    "marketing",
    "movement_libras",
    "penbased",
    "phoneme",
    "pima",
    "ring",
    "saheart",
    "segment",
    "shuttle",
    "soybean",
    "spambase",
    "texture",
    "tic-tac-toe",
    "twonorm",
    "wisconsin",
)


def _on_tables() -> list[Training]:
    """Every table once at 300 epochs, every second one at 1,000 as well, with the other alpha and optimizer."""
    trainings = []
    for at, name in enumerate(_TABLES):
        train_size, val = _SMALL.get(name, (200, 150))
        recipe: RecipeName = "Mixup1" if at % 2 == 0 else "Mixup0.2"
        optimizer: OptimizerName = "sgd" if at % 4 < 2 else "adamw"
        trainings.append(Training(name, train_size, val, 300, "mlp", recipe, optimizer))
        if at % 2 == 0:
            other: OptimizerName = "adamw" if optimizer == "sgd" else "sgd"
            alpha: RecipeName = "Mixup1" if at % 4 == 0 else "Mixup0.2"
            trainings.append(Training(name, 100, val, 1000, "mlp", alpha, other))
    return trainings


def _image(data: str, train_size: int, model: Model, recipe: RecipeName, optimizer: OptimizerName) -> Training:
    epochs, batch = (60, 50) if model == "residual" else (80, 50) if train_size >= 200 else (120, 25)
    return Training(data, train_size, 150, epochs, model, recipe, optimizer, seeds=4, batch_size=batch)


_ON_IMAGES = (
    Training("fashion_tops", 200, 150, 300, "mlp", "Mixup1", "sgd"),
    Training("fashion", 250, 150, 300, "mlp", "Mixup0.2", "adamw"),
    Training("movement_libras_series", 120, 60, 150, "convnet", "Mixup1", "adamw", seeds=4),
    Training("penbased_series", 200, 150, 150, "convnet", "Mixup0.2", "sgd", seeds=4),
    _image("fashion", 250, "convnet", "Mixup1", "sgd"),
    _image("fashion", 250, "convnet", "Pair", "adamw"),
    _image("fashion_tops", 200, "convnet", "Pair", "sgd"),
    _image("fashion_tops", 200, "convnet", "Mixup0.2", "adamw"),
    _image("fashion_rest", 200, "convnet", "Mixup1", "adamw"),
    _image("fashion", 250, "residual", "Mixup1", "sgd"),
    _image("fashion_tops", 250, "residual", "Pair", "adamw"),
    _image("fashion_tops", 50, "tuned", "Mixup1", "sgd"),
    _image("fashion_tops", 100, "tuned", "Mixup1", "adamw"),
    _image("fashion_tops", 200, "tuned", "Pair", "sgd"),
    _image("fashion_tops", 500, "tuned", "Mixup0.2", "adamw"),
    _image("fashion_rest", 50, "tuned", "Mixup0.2", "adamw"),
    _image("fashion_rest", 100, "tuned", "Pair", "sgd"),
    _image("fashion_last", 50, "tuned", "Pair", "adamw"),
    _image("fashion_last", 100, "tuned", "Mixup1", "sgd"),
    _image("fashion_last", 250, "tuned", "Mixup1", "adamw"),
    _image("fashion_first", 100, "tuned", "Mixup0.2", "sgd"),
    _image("fashion_first", 250, "tuned", "Pair", "adamw"),
)


def _in_order() -> tuple[Training, ...]:
    """Shuffle them once for all: whatever is recorded first is a fair sample of the whole."""
    trainings = [*_on_tables(), *_ON_IMAGES]
    return tuple(trainings[at] for at in np.random.default_rng(20261128).permutation(len(trainings)))


TRAININGS = _in_order()
"""All of them, in the order in which they are recorded."""
