"""Statistics for normalising inputs."""

from __future__ import annotations

import torch
from torch import Tensor


def normalization_stats(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of a training subset, broadcastable to one sample.

    Samples of shape (channels, ...) are normalised per channel; flat samples of shape (features,) per feature. What is
    constant gets a standard deviation of 1.

    Args:
        x: shape (n, channels, ...) or (n, features), uint8 or float32.

    Returns:
        Both of shape (channels, 1, ...) or (features,), float32, computed in float64.

    Example:
        >>> mean, std = normalization_stats(torch.tensor([[0.0, 5.0], [2.0, 5.0]]))
        >>> mean.tolist(), std.tolist()
        ([1.0, 5.0], [1.0, 1.0])
    """
    values = x.to(torch.float64)
    dims = [0, *range(2, x.dim())]
    mean = values.mean(dim=dims, keepdim=True)[0]
    std = values.std(dim=dims, keepdim=True, correction=0)[0]
    return mean.to(torch.float32), torch.where(std > 0, std, torch.ones_like(std)).to(torch.float32)
