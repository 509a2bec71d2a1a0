"""Statistics for normalising inputs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from overmix._typing import Float, Shaped
from overmix.divisors import usable_std

_PART = 2**18
"""Values per part: small enough for a processor's cache, which makes it several times faster than large parts."""


def normalization_stats(
    x: Shaped[Tensor, "n channels *positions"],
) -> tuple[Float[Tensor, "channels *ones"], Float[Tensor, "channels *ones"]]:
    """Return mean and standard deviation of a training subset, broadcastable to one sample.

    ``mean_c = (1/N) sum x_c`` and ``std_c = sqrt((1/N) sum (x_c - mean_c)^2)``, over the samples and, for images and
    sequences, over all positions of channel c; flat samples have one mean per feature.

    Args:
        x: shape (n, channels, ...) or (n, features), uint8 or float32.

    Returns:
        Both of shape (channels, 1, ...) or (features,), float32, computed in float64. What is constant, or varies by
        less than float32 can divide by, has a standard deviation of 1.

    Example:
        >>> mean, std = normalization_stats(torch.tensor([[0.0, 5.0], [2.0, 5.0]]))
        >>> mean.tolist(), std.tolist()
        ([1.0, 5.0], [1.0, 1.0])
    """
    dims = [0, *range(2, x.dim())]
    count = x.numel() // x.shape[1]
    mean = sum((part.sum(dims, keepdim=True) for part in _parts(x)), torch.zeros(())) / count
    squares = sum(((part - mean).square().sum(dims, keepdim=True) for part in _parts(x)), torch.zeros(()))
    std = (squares / count).sqrt().to(torch.float32)
    std = usable_std(std, x.amin(dims, keepdim=True), x.amax(dims, keepdim=True))
    return mean.to(torch.float32)[0], std[0]


def _parts(x: Tensor) -> Iterator[Tensor]:
    """Yield float64 copies of a few samples at a time: a whole set of images would need eight times its memory."""
    step = max(1, _PART // x[0].numel())
    return (x[start : start + step].to(torch.float64) for start in range(0, len(x), step))
