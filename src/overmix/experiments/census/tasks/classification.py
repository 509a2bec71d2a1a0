"""Classification: few samples, a perceptron."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from overmix.diagnose import scores
from overmix.experiments.census.task import Data, Samples, Score, Task
from overmix.mix import Streams
from overmix.study.data import Dataset
from overmix.study.data.digits import digits
from overmix.study.data.normalization import normalization_stats
from overmix.study.data.split import split_indices


@lru_cache(maxsize=1)
def read_digits() -> Dataset:
    """Return the digits, read once per process."""
    return digits()


@dataclass(frozen=True)
class Classification(Task):
    """Classes of digits, from a few training samples; two hidden layers.

    Args:
        dataset: which, for the record of a row.
        hidden: width of both hidden layers.
    """

    epochs: int = 600
    train_size: int = 200
    val_size: int = 200
    batch_size: int = 50
    lr: float = 0.1
    dataset: Literal["digits"] = "digits"
    hidden: int = 128

    title: ClassVar[str] = "classification"
    metric: ClassVar[str] = "test error"

    def data(self, streams: Streams) -> Data:
        """Return a stratified training subset, a validation split, and the test samples that all seeds share."""
        pool = read_digits()
        train, val = split_indices(
            pool.y.numpy(),
            train_size=self.train_size,
            val_size=self.val_size,
            balanced=False,
            subset_rng=streams.generator("subset"),
            val_rng=streams.generator("validation"),
            num_classes=pool.num_classes,
        )
        mean, std = normalization_stats(pool.x[train])

        def samples(x: Tensor, y: Tensor) -> Samples:
            return Samples((x.float() - mean) / std, y)

        return Data(
            samples(pool.x[train], pool.y[train]),
            samples(pool.x[val], pool.y[val]),
            samples(pool.x_test, pool.y_test),
        )

    def model(self) -> nn.Module:
        """Return the perceptron."""
        return perceptron(64, self.hidden, 10)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the cross-entropy."""
        return F.cross_entropy(model(batch.x), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return error and calibration error."""
        return class_score(model(samples.x), samples.y)

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return logits and classes."""
        return model(samples.x), samples.y


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Return a perceptron with two hidden layers that flattens its input."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


def class_score(logits: Tensor, y: Tensor) -> Score:
    """Return error, calibration error, and which samples are wrong."""
    sums, wrong = scores.sums(logits, y)
    means = scores.finish(sums)
    return Score(float(means.error), float(means.ece), wrong.numpy())
