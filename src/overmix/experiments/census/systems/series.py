"""C-Mixup on two real regressions: molecules, and a series of ozone and weather."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.real_tables import DAYS, OZONE, blood_brain, ozone
from overmix.experiments.census.systems.selection import ridge
from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, as_classes
from overmix.mix import Streams
from overmix.recipes import CMixup

BY_RIDGE, PERSISTENCE = "ridge regression", "as the day before"
_PENALTIES = (1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Regression(Task):
    """Values from few real samples, inputs and values scaled to variance 1 over the training samples."""

    lr: float = 1e-3
    hidden: int = 64

    metric: ClassVar[str] = "mean squared error over the variance of the training values"
    kind: ClassVar[Kind] = "value"
    baselines: ClassVar[tuple[str, ...]] = (BY_RIDGE,)

    def parts(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """Return inputs, values, and the samples that train, are held out, and test; the last are all seeds' own."""
        raise NotImplementedError

    def data(self, streams: Streams) -> Data:
        """Return the scaled samples."""
        x, y, parts = self.parts(streams.generator("subset"))
        train = parts[0]
        over = (0, *range(2, x.ndim))  # of each column or channel
        mean, std = x[train].mean(over, keepdims=True), x[train].std(over, keepdims=True)
        x = (x - mean) / np.where(std > 0, std, 1)
        y = (y - y[train].mean()) / y[train].std()
        return Data(*(Samples(torch.from_numpy(x[part]).float(), torch.from_numpy(y[part]).float()) for part in parts))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return Adam, as C-Mixup's authors use it."""
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the mean squared error."""
        return F.mse_loss(model(batch.x), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the mean squared error."""
        return _squared(model(samples.x), samples.y)

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return squared errors as classes."""
        return as_classes((model(samples.x) - samples.y).square(), worst=9.0)

    def baseline(self, name: str, data: Data) -> Score:
        """Return the error of a ridge regression, its penalty chosen on held-out samples."""
        fits = [ridge(data.train.x.flatten(1), data.train.y[:, None], penalty) for penalty in _PENALTIES]
        errors = [_squared((data.val.x.flatten(1) @ weights)[:, 0], data.val.y).value for weights in fits]
        return _squared((data.test.x.flatten(1) @ fits[int(np.argmin(errors))])[:, 0], data.test.y)


def _squared(said: Tensor, y: Tensor) -> Score:
    return Score(float((said - y).square().mean()))


@dataclass(frozen=True)
class BloodBrain(Regression):
    """How much of a molecule passes from blood to brain, from 134 descriptors; 60 molecules are the test."""

    epochs: int = 240
    train_size: int = 100
    val_size: int = 48
    batch_size: int = 16

    title: ClassVar[str] = "regression: molecules from blood to brain"

    def parts(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """Return the molecules, in parts."""
        x, y = blood_brain()
        order = np.random.default_rng(0).permutation(len(y))
        test, pool = order[:60], rng.permutation(order[60:])
        return x, y, [pool[: self.train_size], pool[self.train_size :][: self.val_size], test]

    def model(self) -> nn.Module:
        """Return a perceptron with two hidden layers."""
        return nn.Sequential(*_hidden(134, self.hidden), *_hidden(self.hidden, self.hidden), *_value(self.hidden))


@dataclass(frozen=True)
class Ozone(Regression):
    """The highest ozone of a day, from its weather, and from ozone and weather of the days before.

    Every third block of ten days is the test, so that all seasons are in it.
    """

    epochs: int = 240
    train_size: int = 160
    val_size: int = 60
    batch_size: int = 16

    title: ClassVar[str] = "regression of a series: ozone from weather"
    baselines: ClassVar[tuple[str, ...]] = (BY_RIDGE, PERSISTENCE)

    def parts(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """Return the days, in parts."""
        x, y, day = ozone()
        tested = day // 10 % 3 == 0
        pool = rng.permutation(np.flatnonzero(~tested))
        return x, y, [pool[: self.train_size], pool[self.train_size :][: self.val_size], np.flatnonzero(tested)]

    def model(self) -> nn.Module:
        """Return a convolutional net over days."""
        width = self.hidden // 2
        return nn.Sequential(
            *(nn.Conv1d(len(OZONE), width, 3, padding=1), nn.ReLU(), nn.Conv1d(width, width, 3, padding=1), nn.ReLU()),
            *(nn.MaxPool1d(2), nn.Flatten(), *_hidden(width * (DAYS // 2), self.hidden), *_value(self.hidden)),
        )

    def baseline(self, name: str, data: Data) -> Score:
        """Return the error of a ridge regression on all days and columns, or that a day is as the one before."""
        if name == BY_RIDGE:
            return super().baseline(name, data)
        # Both are scaled, the channel over its windows, values over the days that are asked for: nearly alike.
        return _squared(data.test.x[:, 0, -1], data.test.y)


def _hidden(inputs: int, outputs: int) -> Sequence[nn.Module]:
    return nn.Linear(inputs, outputs), nn.ReLU()


def _value(inputs: int) -> Sequence[nn.Module]:
    return nn.Linear(inputs, 1), nn.Flatten(0)


def _row(variant: str, task: Regression, lacks: str) -> Row:
    return LoopRow(
        recipe_name="CMixup",
        variant=variant,
        # Half a standard deviation of the training values, our choice.
        method=CMixup(sigma=0.5),
        task=task,
        controls={"any partner": Control(CMixup(sigma=1e3))},  # so wide a kernel knows no labels
        needs=("pyreadr",),
        lacks=lacks,
    )


ROWS: tuple[Row, ...] = (
    _row(
        "blood-brain",
        BloodBrain(),
        "sigma is not tuned for the set, partners are drawn within a batch and not from all training samples, and"
        " the test has 60 molecules.",
    ),
    _row(
        "ozone",
        Ozone(),
        "sigma is not tuned for the set, partners are drawn within a batch and not from all training samples, and one"
        " year of one place is shorter than the series of the paper (exchange rates, electricity).",
    ),
)
