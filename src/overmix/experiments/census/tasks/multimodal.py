"""Multimodal classification: the left and the right half of a digit, both with noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from overmix.experiments.census.task import Data, Samples, Score
from overmix.experiments.census.tasks.classification import Classification, class_score
from overmix.mix import MixPlan, Streams
from overmix.recipes import M3Co, MultimodalOutput


class TwoEncoders(nn.Module):
    """An encoder and a head for each half, and a head for both embeddings together."""

    def __init__(self, hidden: int, dim: int = 32) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            [nn.Sequential(nn.Linear(32, hidden), nn.ReLU(), nn.Linear(hidden, dim)) for _ in range(2)]
        )
        self.heads = nn.ModuleList([nn.Sequential(nn.ReLU(), nn.Linear(dim, 10)) for _ in range(2)])
        self.fused = nn.Sequential(nn.ReLU(), nn.Linear(2 * dim, 10))

    def forward(self, x: tuple[Tensor, Tensor]) -> MultimodalOutput:
        """Return both embeddings, and the logits of each and of both."""
        z = tuple(encoder(half) for encoder, half in zip(self.encoders, x, strict=True))
        heads = tuple(head(part) for head, part in zip(self.heads, z, strict=True))
        return MultimodalOutput(z, (*heads, self.fused(torch.cat(z, dim=1))))


@dataclass(frozen=True)
class TwoViews(Classification):
    """Classes from two noisy halves; switched off, mixtures give way to SoftCLIP, as in M3CoL.

    Args:
        noise: standard deviation of what is added to every pixel, whose own is 1.
    """

    epochs: int = 300
    train_size: int = 200
    val_size: int = 200
    batch_size: int = 50
    lr: float = 0.02
    noise: float = 1.0

    title: ClassVar[str] = "multimodal classification: noisy halves of digits"
    metric: ClassVar[str] = "test error of the fused head"

    def data(self, streams: Streams) -> Data:
        """Return pairs of halves, shape (N, 32) each; the test noise is the same for all seeds."""
        whole, rng = super().data(streams), streams.generator("augmentation")
        train, val = self._halves(whole.train, rng), self._halves(whole.val, rng)
        return Data(train, val, self._halves(whole.test, Streams().generator("augmentation")))

    def _halves(self, samples: Samples, rng: np.random.Generator) -> Samples:
        noisy = samples.x + torch.from_numpy(rng.normal(0, self.noise, samples.x.shape)).float()
        left, right = noisy.split(4, dim=3)
        return Samples((left.flatten(1), right.flatten(1)), samples.y)

    def model(self) -> nn.Module:
        """Return the two encoders."""
        return TwoEncoders(self.hidden)

    def plain(self, model: nn.Module, batch: Samples) -> Tensor:
        """Return the loss of the later phase: all heads, and the two-way SoftCLIP term of the embeddings."""
        soft = M3Co(temperature=0.125, contrast="soft")
        return soft.objective(model, batch.x, batch.y, MixPlan.identity(len(batch)))

    def score(self, model: nn.Module, samples: Samples) -> Score:
        """Return error and calibration error of the fused head."""
        return class_score(*self.look(model, samples))

    def look(self, model: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return the fused head's logits, and classes."""
        return model(samples.x).logits[-1], samples.y
