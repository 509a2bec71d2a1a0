"""Retrieval across subjects: simulated voxels of three subjects, with a sparse selection of voxels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overmix._typing import Bool, Float
from overmix.experiments.census.task import Data, Samples
from overmix.experiments.census.tasks.classification import read_digits
from overmix.experiments.census.tasks.retrieval import GALLERY, Halves
from overmix.mix import Streams

VOXELS = (60, 80, 100)
"""Voxels of each subject, padded to the largest; a third of them sees anything."""

DIM = 16


@lru_cache(maxsize=1)
def embeddings() -> Float[Tensor, "images dim"]:
    """Return what the subjects look at: the first principal components of all digits, each with variance 1."""
    pool = read_digits()
    x = torch.cat([pool.x, pool.x_test]).flatten(1).float()
    u, _, _ = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    components: Tensor = u[:, :DIM] * len(x) ** 0.5
    return components


@lru_cache(maxsize=1)
def subjects() -> tuple[Float[Tensor, "subjects dim voxels"], Bool[Tensor, "subjects voxels"]]:
    """Return how each subject's voxels respond, and which of them do; the same for all seeds."""
    rng = np.random.default_rng(0)
    response = torch.from_numpy(rng.normal(size=(len(VOXELS), DIM, max(VOXELS)))).float() / DIM**0.5
    sees = torch.zeros(len(VOXELS), max(VOXELS), dtype=torch.bool)
    for subject, voxels in enumerate(VOXELS):
        sees[subject, torch.from_numpy(rng.permutation(voxels)[: voxels // 3])] = True
    return response * sees.unsqueeze(1), sees


class Decoder(nn.Module):
    """A gate for each voxel and a linear layer of each subject's own; then layers that all subjects share."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(len(VOXELS), max(VOXELS)))
        self.weight = nn.Parameter(torch.randn(len(VOXELS), max(VOXELS), hidden) / max(VOXELS) ** 0.5)
        self.shared = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, DIM))

    def forward(self, x: tuple[Tensor, Tensor]) -> Tensor:
        """Return queries, shape (B, DIM), of voxels (B, V) and the subject as one of several, (B, S)."""
        voxels, subject = x
        gated = voxels * (subject @ self.openness)
        features = torch.einsum("bs,bv,svh->bh", subject, gated, self.weight)
        queries: Tensor = self.shared(features)
        return queries

    @property
    def openness(self) -> Tensor:
        """How far each gate is open, in (0, 1), shape (S, V)."""
        return torch.sigmoid(self.gate)


@dataclass(frozen=True)
class Voxels(Halves):
    """Noisy responses of voxels to an image; the query has to find the image's embedding.

    Args:
        noise: standard deviation of every voxel's noise; the signal of those that see has about 1.
        sparsity: weight of the gates' mean, which closes those of voxels that see nothing.
        gate_lr: learning rate of the gates; a sigmoid has further to go than a weight.
    """

    epochs: int = 300
    train_size: int = 300
    val_size: int = 300
    batch_size: int = 100
    hidden: int = 64
    noise: float = 0.5
    sparsity: float = 2.0
    gate_lr: float = 1e-2

    title: ClassVar[str] = "retrieval: voxels of three subjects"
    metric: ClassVar[str] = f"share of queries whose image is not found first among {GALLERY}"

    def data(self, streams: Streams) -> Data:
        """Return voxels and embeddings; a third of each part is one subject's, and the test is the same for all."""
        rng, images = streams.generator("subset"), embeddings()
        order = torch.from_numpy(rng.permutation(len(images) - 900))
        train, val = order[: self.train_size], order[self.train_size :][: self.val_size]
        test = torch.arange(len(images) - 900, len(images))
        return Data(
            self._seen(images[train], rng),
            self._seen(images[val], rng),
            self._seen(images[test], Streams().generator("augmentation")),
        )

    def _seen(self, images: Tensor, rng: np.random.Generator) -> Samples:
        subject = torch.arange(len(images)) * len(VOXELS) // len(images)
        response, _ = subjects()
        present = torch.arange(max(VOXELS)) < torch.tensor(VOXELS).unsqueeze(1)
        noise = torch.from_numpy(rng.normal(0, self.noise, (len(images), max(VOXELS)))).float()
        voxels = torch.einsum("nd,ndv->nv", images, response[subject]) + noise * present[subject]
        return Samples((voxels, F.one_hot(subject, len(VOXELS)).float()), images, subject)

    def model(self) -> nn.Module:
        """Return the decoder."""
        return Decoder(self.hidden)

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return Adam, faster for the gates."""
        assert isinstance(model, Decoder)
        rest = [parameter for name, parameter in model.named_parameters() if name != "gate"]
        groups: list[dict[str, Any]] = [{"params": rest}, {"params": [model.gate], "lr": self.gate_lr}]
        return torch.optim.Adam(groups, lr=self.lr)

    def extra(self, model: nn.Module, batch: Samples, rng: np.random.Generator) -> Tensor | None:
        """Return the weighted mean of the gates."""
        assert isinstance(model, Decoder)
        return self.sparsity * model.openness.mean()
