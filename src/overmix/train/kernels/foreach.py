"""The same operation on every tensor of a list, in one call where PyTorch has one; all in place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from overmix.train.kernels.kernel import Kernel

Tensors = Sequence[Tensor]


def _lists(*values: float) -> list[list[Tensor]]:
    return [[torch.full((2,), value), torch.full((3,), value + 1)] for value in values]


def _plain_scale(tensors: Tensors, factor: float) -> None:
    for tensor in tensors:
        tensor.mul_(factor)


def _plain_add(tensors: Tensors, others: Tensors, alpha: float = 1.0) -> None:
    for tensor, other in zip(tensors, others, strict=True):
        tensor.add_(other, alpha=alpha)


def _plain_lerp(tensors: Tensors, ends: Tensors, weight: float) -> None:
    for tensor, end in zip(tensors, ends, strict=True):
        tensor.lerp_(end, weight)


def _plain_add_squares(tensors: Tensors, others: Tensors, factor: float) -> None:
    for tensor, other in zip(tensors, others, strict=True):
        tensor.addcmul_(other, other, value=factor)


def _plain_copy(tensors: Tensors, sources: Tensors) -> None:
    for tensor, source in zip(tensors, sources, strict=True):
        tensor.copy_(source)


scale = Kernel(_plain_scale, lambda t, f: torch._foreach_mul_(t, f), lambda: ((*_lists(1.0), 0.5), {}))
"""``scale(tensors, factor)``."""
add = Kernel(
    _plain_add,
    lambda t, o, alpha=1.0: torch._foreach_add_(t, o, alpha=alpha),
    lambda: (tuple(_lists(1.0, 5.0)), {"alpha": 0.5}),
)
"""``add(tensors, others, alpha=1.0)``: tensors plus alpha times the others."""
lerp = Kernel(_plain_lerp, lambda t, e, w: torch._foreach_lerp_(t, e, w), lambda: ((*_lists(1.0, 5.0), 0.25), {}))
"""``lerp(tensors, ends, weight)``: a share of the way to the ends."""
add_squares = Kernel(
    _plain_add_squares, lambda t, o, f: torch._foreach_addcmul_(t, o, o, f), lambda: ((*_lists(1.0, 5.0), 0.25), {})
)
"""``add_squares(tensors, others, factor)``: tensors plus factor times the others' squares."""
copy = Kernel(_plain_copy, lambda t, s: torch._foreach_copy_(t, s), lambda: (tuple(_lists(1.0, 5.0)), {}))
"""``copy(tensors, sources)``."""
