"""Shifts between training and test: colours that go with the class, and classes of different frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from overmix.experiments.census.task import Data, Kind, Samples, Score
from overmix.experiments.census.tasks.classification import Classification, class_score, perceptron
from overmix.mix import Streams


@dataclass(frozen=True)
class ColouredDigits(Classification):
    """Is the digit 5 or more? In training its colour says so in nine of ten cases; in the test it says nothing.

    The two colours are the domains. Held-out and test images come once in each colour.

    Args:
        agree: share of the training samples whose colour says the class.
    """

    epochs: int = 300
    train_size: int = 400
    val_size: int = 200
    batch_size: int = 50
    lr: float = 0.03
    agree: float = 0.9

    title: ClassVar[str] = "classification: coloured digits"
    metric: ClassVar[str] = "worst error of the four groups of class and colour"
    kind: ClassVar[Kind] = "rate"

    def data(self, streams: Streams) -> Data:
        """Return coloured images, shape (N, 2, 8, 8): one channel holds the image."""
        plain = super().data(streams)
        rng = streams.generator("augmentation")
        y = _is_high(plain.train.y)
        agrees = torch.from_numpy(rng.random(len(y)) < self.agree)
        train = _coloured(plain.train.x, y, torch.where(agrees, y, 1 - y))
        return Data(train, _in_both_colours(plain.val), _in_both_colours(plain.test))

    def model(self) -> nn.Module:
        """Return the perceptron."""
        return perceptron(128, self.hidden, 2)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the worst group's error; the calibration error is that of all groups together."""
        assert samples.domain is not None
        found = class_score(model(samples.x), samples.y)
        assert found.wrong is not None
        group = (2 * samples.y + samples.domain).numpy()
        return Score(max(float(found.wrong[group == g].mean()) for g in range(4)), found.ece)


def _is_high(y: Tensor) -> Tensor:
    return (y >= 5).long()


def _coloured(x: Tensor, y: Tensor, colour: Tensor) -> Samples:
    channels = torch.nn.functional.one_hot(colour, 2).view(-1, 2, 1, 1)
    return Samples(x * channels, y, colour)


def _in_both_colours(samples: Samples) -> Samples:
    x, y = torch.cat([samples.x, samples.x]), _is_high(samples.y).repeat(2)
    return _coloured(x, y, torch.arange(2).repeat_interleave(len(samples)))


@dataclass(frozen=True)
class ImbalancedDigits(Classification):
    """Digits whose classes become rarer from 0 to 9 in training; they are equally frequent in the test.

    Args:
        ratio: how many times more frequent the first class is than the last.
    """

    epochs: int = 600
    train_size: int = 200
    ratio: float = 10.0

    title: ClassVar[str] = "classification: imbalanced digits"
    metric: ClassVar[str] = "test error, classes equally frequent"

    def data(self, streams: Streams) -> Data:
        """Return an imbalanced subset of twice as many samples, drawn without replacement."""
        whole = Classification(train_size=2 * self.train_size, val_size=self.val_size).data(streams)
        weight = self.ratio ** -(np.arange(10) / 9)
        share = weight[whole.train.y.numpy()]
        rng = streams.generator("augmentation")
        chosen = rng.choice(len(share), self.train_size, replace=False, p=share / share.sum())
        return Data(whole.train.at(torch.from_numpy(np.sort(chosen))), whole.val, whole.test)
