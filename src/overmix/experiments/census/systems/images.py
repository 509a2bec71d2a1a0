"""Fashion-MNIST with a small residual network: calibration for SK-Mixup, errors for Mixup and its relatives.

No study trains these rows, as a study looks at its test samples all along in every condition, which a convolutional net
pays for with more time than its training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from overmix._typing import Float, Int
from overmix.diagnose import scores
from overmix.experiments.census.loop_row import Control, LoopRow
from overmix.experiments.census.row import Row
from overmix.experiments.census.systems.fashion import fashion
from overmix.experiments.census.task import Data, Kind, Samples, Score, Task, evaluated, subset
from overmix.mix import Streams
from overmix.recipes import CutMix, Mixup, SemanticEquivariantMixup, SKMixup
from overmix.study.models.resnet import resnet8

WIDTH = 8
MEAN, STD = 72.9, 90.0
"""Of the pool's pixels, about."""


@dataclass(frozen=True)
class FewClothes(Task):
    """Classes of clothes from few images.

    Args:
        test_size: test samples.
    """

    epochs: int = 80
    train_size: int = 300
    val_size: int = 500
    batch_size: int = 50
    lr: float = 0.02
    test_size: int = 2000

    title: ClassVar[str] = "classification: clothes, ResNet-8"
    metric: ClassVar[str] = "test error"

    def smoke(self) -> FewClothes:
        """Return the task with few images and epochs."""
        return replace(self, epochs=6, train_size=100, val_size=100, test_size=200)

    def data(self, streams: Streams) -> Data:
        """Return training and held-out samples; the test samples are the same for all seeds."""
        pool = fashion()

        def samples(x: Tensor, y: Tensor) -> Samples:
            return Samples((x.float() - MEAN) / STD, y)

        chosen = streams.generator("subset").permutation(len(pool.y))[: self.train_size + self.val_size]
        part = samples(pool.x[chosen], pool.y[chosen])
        train, val = (
            part.at(index) for index in torch.split(torch.arange(len(part)), [self.train_size, self.val_size])
        )
        (test,) = subset(Samples(pool.x_test, pool.y_test), Streams().generator("augmentation"), self.test_size)
        return Data(train, val, samples(test.x, test.y))

    def model(self) -> nn.Module:
        """Return the residual network, its kernels in the order that a CPU computes in."""
        model = resnet8(sample_shape=(1, 28, 28), num_classes=10, width=WIDTH)
        return model.to(memory_format=torch.channels_last)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return SGD with momentum and weight decay."""
        return torch.optim.SGD(model.parameters(), lr=self.lr, momentum=0.9, weight_decay=1e-4)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the cross-entropy."""
        return F.cross_entropy(model(batch.x), batch.y)

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the error, and how well probabilities are calibrated before and after temperature scaling."""
        logits = model(samples.x)
        total, wrong = scores.sums(logits, samples.y)
        raw, scaled = scores.finish(total), scores.finish(scores.sums(scaled_logits(logits, samples.y), samples.y)[0])
        further = {
            "ECE after temperature scaling": float(scaled.ece),
            "cross-entropy": float(raw.cross_entropy),
            "cross-entropy after temperature scaling": float(scaled.cross_entropy),
        }
        return Score(float(raw.error), float(raw.ece), wrong.numpy(), further)

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return logits and classes."""
        return model(samples.x), samples.y


@dataclass(frozen=True)
class Calibration(FewClothes):
    """The same, but what counts is whether probabilities are right."""

    title: ClassVar[str] = "calibration: clothes, ResNet-8"
    metric: ClassVar[str] = "expected calibration error (15 bins)"
    kind: ClassVar[Kind] = "rate"

    def features(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return what enters the last layer, from the model as it evaluates."""
        assert isinstance(model, nn.Sequential)
        features: Tensor = evaluated(lambda: model[:-1](batch.x), model)
        return features

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the calibration error, with the error beside it."""
        score = super().score(model, samples)
        assert score.ece is not None
        return Score(score.ece, further={"error": score.value, **score.further})


def scaled_logits(
    logits: Float[Tensor, "samples classes"], y: Int[Tensor, " samples"]
) -> Float[Tensor, "samples classes"]:
    """Return ``logits / T``: each half of the samples has the T that gives the other half the least cross-entropy.

    Every sample is scaled by a temperature that it did not help to choose (Guo et al., "On Calibration of Modern Neural
    Networks", 2017). The halves are every other sample.

    Example:
        >>> logits = torch.tensor([[8.0, 0.0], [8.0, 0.0]]).repeat(50, 1)
        >>> y = torch.tensor([0, 0, 0, 0, 1, 1]).repeat(17)[:100]
        >>> scaled_logits(logits, y).softmax(1)[0].round(decimals=1)
        tensor([0.7000, 0.3000])
    """
    scaled = torch.empty_like(logits)
    for half, other in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        scaled[half] = logits[half] / temperature(logits[other], y[other])
    return scaled


def temperature(logits: Float[Tensor, "samples classes"], y: Int[Tensor, " samples"]) -> float:
    """Return the T of least cross-entropy of ``logits / T``, between 0.05 and 20."""
    logits = logits.double()

    def cross_entropy(log_t: float) -> float:
        return float(F.cross_entropy(logits / np.exp(log_t), y))

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


_LACKS = (
    "300 grey images of 28 pixels and a network of 20,000 weights, where the authors have CIFAR and Tiny-ImageNet and "
    "networks of millions; no augmentation beside the mixing, and a constant learning rate. "
)

ROWS: tuple[Row, ...] = (
    LoopRow(
        recipe_name="SKMixup",
        variant="clothes",
        method=SKMixup(),
        task=Calibration(),
        controls={"Mixup": Control(Mixup())},
        seeds=5,
        lacks=_LACKS + "Its regressions are not here.",
    ),
    LoopRow(
        recipe_name="SemanticEquivariantMixup",
        variant="clothes",
        method=SemanticEquivariantMixup(),
        task=FewClothes(),
        controls={"Mixup": Control(Mixup())},
        seeds=5,
        lacks=_LACKS
        + "No shifted test samples, on which the authors report; distance and weight of the term are ours.",
    ),
    LoopRow(
        recipe_name="Mixup",
        variant="clothes",
        method=Mixup(),
        task=FewClothes(),
        controls={"CutMix": Control(CutMix())},
        seeds=5,
        lacks=_LACKS.strip(),
    ),
    # Beta(50, 50) has a standard deviation of 0.05: every mixture is far from both samples.
    LoopRow(
        recipe_name="Mixup",
        variant="clothes-half",
        method=Mixup(alpha=50.0),
        task=FewClothes(),
        controls={"alpha 1": Control(Mixup())},
        seeds=5,
        lacks=_LACKS + "The authors' measures of the Hessian are not here, only the mixing that they follow from.",
    ),
)
