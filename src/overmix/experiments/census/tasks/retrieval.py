"""Two-view retrieval: which lower half of a digit belongs to this upper half?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix._typing import Float, Int
from overmix.experiments.census.task import Data, Samples, Score, Task
from overmix.experiments.census.tasks.classification import Classification, class_score, perceptron
from overmix.mix import Streams
from overmix.recipes import SoftCLIP

GALLERY = 50
"""A query has to find its view among so many."""

TEMPERATURE = 0.1
"""Of both losses; that of the authors is made for embeddings with hundreds of dimensions."""


@dataclass(frozen=True)
class Halves(Task):
    """The upper half of a digit is the query, the lower half, unmixed and fixed, the view that it has to find.

    Switched off, the recipe gives way to SoftCLIP, as in MindEye.
    """

    epochs: int = 300
    train_size: int = 400
    val_size: int = 300
    batch_size: int = 100
    lr: float = 1e-3
    hidden: int = 128

    title: ClassVar[str] = "retrieval: halves of digits"
    metric: ClassVar[str] = f"share of queries whose view is not found first among {GALLERY}"

    def data(self, streams: Streams) -> Data:
        """Return halves, each with the mean image taken off."""
        whole = Classification(train_size=self.train_size, val_size=self.val_size).data(streams)
        mean = whole.train.x.mean(0)

        def halves(samples: Samples) -> Samples:
            upper, lower = (samples.x - mean).split(4, dim=2)
            return Samples(upper, lower.flatten(1))

        return Data(halves(whole.train), halves(whole.val), halves(whole.test))

    def model(self) -> nn.Module:
        """Return the encoder of the upper half."""
        return perceptron(32, self.hidden, 32)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(model.parameters(), lr=self.lr)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the SoftCLIP loss of unmixed queries."""
        x, target = SoftCLIP(TEMPERATURE).unmixed(batch.x, batch.y)
        loss: Tensor = target.cross_entropy(model(x))
        return loss

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return the error of retrieval, and the calibration error of its softmax."""
        return class_score(*self.look(model, samples))

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return similarities within galleries, and the place of each query's own view."""
        return in_galleries(model(samples.x), samples.y)


def in_galleries(
    queries: Float[Tensor, "samples dim"], keys: Float[Tensor, "samples dim"]
) -> tuple[Float[Tensor, "kept gallery"], Int[Tensor, " kept"]]:
    """Return each query's cosine with every key of its gallery over the temperature, and which key is its own.

    Galleries are neighbours in the given order; what does not fill one is left out.

    Example:
        >>> logits, own = in_galleries(torch.eye(50), torch.eye(50))
        >>> bool((logits.argmax(1) == own).all())
        True
    """
    count = len(keys) // GALLERY
    q, k = (F.normalize(side[: count * GALLERY], dim=1).view(count, GALLERY, -1) for side in (queries, keys))
    return (q @ k.transpose(1, 2)).flatten(0, 1) / TEMPERATURE, torch.arange(GALLERY).repeat(count)
