"""Looks at values that wait for no device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def seen(values: Tensor) -> np.ndarray[Any, Any] | None:
    """Return values, or ``None`` where a look would wait for a device, cannot be compiled, or has nothing to see.

    Example:
        >>> seen(torch.tensor([1, 2]))
        array([1, 2])
        >>> seen(torch.tensor([1, 2], device="meta")) is None
        True
    """
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return None
    try:
        return values.numpy()
    except RuntimeError:  # under torch.func.vmap there are no values
        return None
