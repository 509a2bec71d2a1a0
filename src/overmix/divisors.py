"""What inputs and values are divided by when they are standardised."""

from __future__ import annotations

import torch
from torch import Tensor

from overmix._typing import Float, Shaped


def usable_std(
    std: Float[Tensor, "*shape"], smallest: Shaped[Tensor, "*shape"], largest: Shaped[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return ``std`` where ``smallest < largest``, and 1 where nothing varies.

    Not where ``std > 0``: rounding leaves a little variance where all values are equal, and another value would then be
    divided by it.

    Args:
        std: standard deviations.
        smallest: the least value of each feature.
        largest: the greatest one.

    Returns:
        Of std's shape and dtype. What is constant, or varies by less than float32 can divide by, has 1.

    Example:
        >>> usable_std(torch.tensor([2.0, 1e-16]), torch.tensor([0.0, 0.1]), torch.tensor([4.0, 0.1])).tolist()
        [2.0, 1.0]
    """
    usable = (largest != smallest) & (std > torch.finfo(torch.float32).tiny)
    return torch.where(usable, std, 1.0)
