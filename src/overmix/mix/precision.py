"""The precision that losses are taken in."""

from __future__ import annotations

import torch
from torch import Tensor

_HALF = (torch.float16, torch.bfloat16)
_WIDEST = {"mps": torch.float32}


def in_loss_precision(tensor: Tensor) -> Tensor:
    """Return half precision as float32 under autocast, as PyTorch's own losses are taken, and all else as it is.

    Example:
        >>> logits = torch.zeros(2, dtype=torch.bfloat16)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     in_loss_precision(logits).dtype, in_loss_precision(logits.double()).dtype
        (torch.float32, torch.float64)
        >>> in_loss_precision(logits).dtype
        torch.bfloat16
    """
    half = tensor.dtype in _HALF
    return tensor.float() if half and torch.is_autocast_enabled(tensor.device.type) else tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return half precision as float32: sums over many positions overflow in float16 and drift in bfloat16."""
    return tensor.float() if tensor.dtype in _HALF else tensor


def in_widest(tensor: Tensor) -> Tensor:
    """Return the tensor in float64, or in float32 where its device has no float64: for sums over many numbers.

    Example:
        >>> in_widest(torch.ones(2)).dtype
        torch.float64
    """
    return tensor.to(_WIDEST.get(tensor.device.type, torch.float64))


def over_samples(value: Tensor, like: Tensor) -> Tensor:
    """Return a number for each sample, shape (..., B), with trailing ones, so that it broadcasts over (..., B, ...)."""
    return value.view(*value.shape, *[1] * (like.dim() - value.dim()))
