"""Regression: the progression of diabetes from ten measurements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, as_classes, subset
from overmix.experiments.census.tasks.classification import perceptron
from overmix.mix import Streams
from overmix.study.data.split import TEST_SPLIT_SEED

TEST_SIZE = 200


@lru_cache(maxsize=1)
def read() -> tuple[Samples, Samples]:
    """Return the pool (242 patients) and the test samples (200), the same for all seeds."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(TEST_SPLIT_SEED))
    all_of_them = Samples(torch.from_numpy(x).float(), torch.from_numpy(y).float())
    return all_of_them.at(order[TEST_SIZE:]), all_of_them.at(order[:TEST_SIZE])


@dataclass(frozen=True)
class Diabetes(Task):
    """Values from few samples; inputs and values are scaled to mean 0 and variance 1 of the training samples."""

    epochs: int = 300
    train_size: int = 120
    val_size: int = 120
    batch_size: int = 30
    lr: float = 0.01

    title: ClassVar[str] = "regression: diabetes"
    metric: ClassVar[str] = "mean squared error over the variance of the training values"
    kind: ClassVar[Kind] = "value"

    def data(self, streams: Streams) -> Data:
        """Return samples whose scale is that of the training samples."""
        pool, test = read()
        train, val = subset(pool, streams.generator("subset"), self.train_size, self.val_size)
        x_mean, x_std = train.x.mean(0), train.x.std(0)
        y_mean, y_std = train.y.mean(), train.y.std()

        def scaled(samples: Samples) -> Samples:
            return Samples((samples.x - x_mean) / x_std, (samples.y - y_mean) / y_std)

        return Data(scaled(train), scaled(val), scaled(test))

    def model(self) -> nn.Module:
        """Return a perceptron with two hidden layers."""
        return perceptron(10, 64, 1)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the mean squared error."""
        return F.mse_loss(model(batch.x).squeeze(1), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the mean squared error."""
        return Score(float(F.mse_loss(model(samples.x).squeeze(1), samples.y)))

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return squared errors as classes."""
        return as_classes((model(samples.x).squeeze(1) - samples.y).square(), worst=9.0)
