"""Data that lies on the device once; a batch is an index."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overmix._typing import Float, Int, Shaped


@dataclass(frozen=True)
class ResidentData:
    """The pool that training and validation samples are taken from, and the test set, on one device.

    Args:
        x: shape (N, ...), uint8 or float32.
        y: classes, shape (N,), int64.
        x_test: shape (M, ...), same dtype.
        y_test: shape (M,), int64.
        num_classes: C.
    """

    x: Shaped[Tensor, "pool *sample"]
    y: Int[Tensor, " pool"]
    x_test: Shaped[Tensor, "test *sample"]
    y_test: Int[Tensor, " test"]
    num_classes: int

    def to(self, device: torch.device) -> ResidentData:
        """Return the data on another device."""
        return ResidentData(
            self.x.to(device), self.y.to(device), self.x_test.to(device), self.y_test.to(device), self.num_classes
        )


def gather(x: Shaped[Tensor, "pool *sample"], index: Int[Tensor, "replicas batch"]) -> Tensor:
    """Return ``x[index]`` as floats, shape (R, B, ...)."""
    return x.index_select(0, index.reshape(-1)).view(*index.shape, *x.shape[1:]).to(torch.float32)


@dataclass(frozen=True)
class Normalization:
    """``(x - mean) / std`` with each replica's own statistics.

    Mixing is linear, so normalising afterwards is the same as before, and the data can stay as they were stored.

    Args:
        mean: shape (R, ...), broadcastable to a sample.
        std: same shape, positive.
    """

    mean: Float[Tensor, "replicas *sample"]
    std: Float[Tensor, "replicas *sample"]

    def apply_(self, x: Float[Tensor, "replicas batch *sample"]) -> Tensor:
        """Normalise a batch in place and return it."""
        return x.sub_(self.mean.unsqueeze(1)).div_(self.std.unsqueeze(1))
