"""Data that lies on the device once; a batch is an index."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Bool, Float, Int, Shaped
from overmix.mix import IGNORE_INDEX, LabelKind


@dataclass(frozen=True)
class ResidentData:
    """The pool that training and validation samples are taken from, and the test set, on one device.

    Args:
        x: shape (N, ...), uint8 or float32.
        y: shape (N,), int64, for classes, -100 for samples without a label; (N, K), float32, for values, rows of 0 and
            1, and second views.
        x_test: shape (M, ...), same dtype.
        y_test: shape (M,) or (M, K), same dtype.
        num_classes: C, or the K numbers that a model returns.
        labels: what a label is.
        domain: where each sample of the pool comes from, shape (N,), int64, if that is known.
    """

    x: Shaped[Tensor, "pool *sample"]
    y: Shaped[Tensor, "pool *label"]
    x_test: Shaped[Tensor, "test *sample"]
    y_test: Shaped[Tensor, "test *label"]
    num_classes: int
    labels: LabelKind = "classes"
    domain: Int[Tensor, " pool"] | None = None

    def to(self, device: torch.device) -> ResidentData:
        """Return the data on another device."""
        return replace(
            self,
            x=self.x.to(device),
            y=self.y.to(device),
            x_test=self.x_test.to(device),
            y_test=self.y_test.to(device),
            domain=None if self.domain is None else self.domain.to(device),
        )

    @property
    def labelled(self) -> Bool[Tensor, " pool"]:
        """Which samples of the pool have a label, shape (N,)."""
        if self.labels == "classes":
            return self.y != IGNORE_INDEX
        return torch.ones(len(self.y), dtype=torch.bool, device=self.y.device)


def gather_samples(x: Shaped[Tensor, "pool *sample"], index: Int[Tensor, "replicas batch"]) -> Tensor:
    """Return ``x[index]`` as floats, shape (R, B, ...)."""
    return x.index_select(0, index.reshape(-1)).view(*index.shape, *x.shape[1:]).to(torch.float32)


@dataclass(frozen=True)
class Normalization:
    """``(x - mean) / std`` with each replica's own statistics.

    Mixing is linear, so normalising afterwards is the same as before, and the data can stay as they were stored.
    Missing values, which are NaN, are no numbers that can be mixed: they are filled before.

    Args:
        mean: shape (R, ...), broadcastable to a sample.
        std: same shape, positive; infinite where a value is to count for nothing.
        fill: same shape, what stands for a missing value; ``None`` where none is missing.
    """

    mean: Float[Tensor, "replicas *sample"]
    std: Float[Tensor, "replicas *sample"]
    fill: Float[Tensor, "replicas *sample"] | None = None

    def filled(self, x: Float[Tensor, "replicas batch *sample"]) -> Tensor:
        """Return a batch without missing values."""
        return x if self.fill is None else torch.where(x.isnan(), self.fill.unsqueeze(1), x)

    def apply_(self, x: Float[Tensor, "replicas batch *sample"]) -> Tensor:
        """Normalise a batch, in place where nothing is missing, and return it."""
        return self.filled(x).sub_(self.mean.unsqueeze(1)).div_(self.std.unsqueeze(1))

    def of(self, r: int) -> Normalization:
        """Return that of one replica."""
        one = slice(r, r + 1)
        return Normalization(self.mean[one], self.std[one], None if self.fill is None else self.fill[one])


@dataclass(frozen=True)
class Labels:
    """The labels of the pool as each replica learns them: as they are, or values in a unit of the replica's own.

    Args:
        y: shape (N,) or (N, K).
        scale: of values, each replica's mean and standard deviation of its training samples, shape (R, K).
    """

    y: Shaped[Tensor, "pool *label"]
    scale: Normalization | None = None

    @classmethod
    def learnt(cls, data: ResidentData, train_index: Int[Tensor, "replicas train"]) -> Labels:
        """Return the labels that replicas with these training samples learn, on the device of the data."""
        if data.labels != "values":
            return cls(data.y)
        values = data.y[train_index].double()
        std = values.std(1, correction=0)
        # A value that never differs is learnt in its own unit.
        usable = std > torch.finfo(torch.float32).tiny
        return cls(data.y, Normalization(values.mean(1).float(), torch.where(usable, std, 1.0).float()))

    def cpu(self) -> Labels:
        """Return the same on the CPU."""
        scale = self.scale
        return Labels(self.y.cpu(), scale and Normalization(scale.mean.cpu(), scale.std.cpu()))

    @property
    def classes(self) -> Int[np.ndarray, " pool"] | None:
        """The classes of the pool on the host, shape (N,); ``None`` if labels are something else."""
        return None if self.y.is_floating_point() else self.y.numpy()

    def alone(self, r: int, index: Int[Tensor, " batch"]) -> Tensor:
        """Return the labels of one replica's samples, shape (B,) or (B, K)."""
        labels = self.y[index]
        return labels if self.scale is None else (labels - self.scale.mean[r]) / self.scale.std[r]

    def at(self, index: Int[Tensor, "replicas batch"], y: Tensor | None = None) -> Tensor:
        """Return the labels of the pool's samples (or of others, ``y``) at an index, shape (R, B) or (R, B, K)."""
        y = self.y if y is None else y
        labels = y.index_select(0, index.reshape(-1)).view(*index.shape, *y.shape[1:])
        return labels if self.scale is None else self.scale.apply_(labels)
