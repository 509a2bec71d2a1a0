"""Semi-supervised classification: four labelled samples of each class, ten times as many without a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix.experiments.census.task import Data, Samples
from overmix.experiments.census.tasks.classification import Classification
from overmix.mix import IGNORE_INDEX, Streams
from overmix.recipes import confident_labels


class Autoencoder(nn.Module):
    """An encoder with a head for classes, and a decoder that completes masked images."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.decoder = nn.Linear(hidden, 64)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.encoder(x))
        return logits

    def completed(self, x: Tensor) -> Tensor:
        """Return the image, shape (N, 64), that the decoder sees behind a masked one."""
        image: Tensor = self.decoder(self.encoder(x))
        return image


@dataclass(frozen=True)
class FewLabels(Classification):
    """Confident predictions are labels too; a masked-autoencoder term looks at every sample.

    Args:
        labelled: training samples that keep their label.
        threshold: from what probability on a prediction counts as a label.
        masked: share of the pixels that the decoder has to complete.
        weight: of the masked-autoencoder term.
    """

    epochs: int = 400
    train_size: int = 440
    val_size: int = 200
    batch_size: int = 110
    lr: float = 0.05
    labelled: int = 40
    threshold: float = 0.95
    masked: float = 0.5
    weight: float = 0.2

    title: ClassVar[str] = "semi-supervised digits"

    def data(self, streams: Streams) -> Data:
        """Return the samples; the training order is stratified, so the first ones hold all classes."""
        whole = super().data(streams)
        y = whole.train.y.clone()
        y[self.labelled :] = IGNORE_INDEX
        return Data(Samples(whole.train.x, y), whole.val, whole.test)

    def model(self) -> nn.Module:
        """Return the classifier with its decoder."""
        return Autoencoder(self.hidden)

    def prepare(self, model: nn.Module, batch: Samples) -> Samples:
        """Return the batch with the labels that the model is sure of."""
        with torch.no_grad():
            probabilities = model(batch.x).softmax(dim=1)
        return Samples(batch.x, confident_labels(probabilities, batch.y, self.threshold))

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the cross-entropy of the samples that have a label; 0 without any."""
        total = F.cross_entropy(model(batch.x), batch.y, ignore_index=IGNORE_INDEX, reduction="sum")
        return total / (batch.y != IGNORE_INDEX).sum().clamp_min(1)

    def extra(self, model: nn.Module, batch: Samples, rng: np.random.Generator) -> Tensor | None:
        """Return the weighted squared error of the masked pixels."""
        assert isinstance(model, Autoencoder)
        hidden = torch.from_numpy(rng.random((len(batch), 64)) < self.masked)
        x = batch.x.flatten(1)
        gap = (model.completed(x.masked_fill(hidden, 0.0)) - x).square()
        error: Tensor = (gap * hidden).sum() / hidden.sum()
        return self.weight * error
