"""Space: where samples are mixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from overmix.errors import DataError
from overmix.mix.plan import MixPlan


@runtime_checkable
class Space(Protocol):
    """Where samples are mixed. Every method is a pure function; the batch is never modified."""

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor | None:
        """Return the raw numbers of one batch on the CPU (a box's place, a layer), or ``None`` if there are none."""
        ...

    def plan(self, drawn: Tensor | None, partner: Tensor, lam: Tensor, sample_shape: tuple[int, ...] | None) -> MixPlan:
        """Return the plan that will be applied, with lam corrected to what is really mixed (a clipped box's area)."""
        ...

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the mixed batch."""
        ...

    def unmixed(self, x: Any) -> Any:
        """Return the batch as it is, in the dtype that :meth:`apply` would have returned."""
        ...


def lerp_with_partner(x: Tensor, partner: Tensor, lam: Tensor) -> Tensor:
    """``lam * x + (1 - lam) * x[partner]`` with one temporary of the batch's size.

    Args:
        x: shape (B, ...), any floating dtype, or uint8, which is returned as float32 in [0, 255].
        partner: shape (B,), int64.
        lam: shape (B,), the weight of ``x`` itself.

    Returns:
        A new tensor with the shape and the memory format of ``x``. Where lam is 1 it equals ``x`` exactly, if ``x`` is
        finite.

    Raises:
        DataError: for integers other than uint8, which stand for something (tokens, counts) that cannot be averaged,
            and for a batch whose size is not the plan's.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> lerp_with_partner(x, torch.tensor([1, 0]), torch.tensor([0.75, 0.75])).flatten()
        tensor([0.2500, 0.7500])
    """
    if x.dim() == 0 or x.shape[0] != partner.shape[0]:
        raise DataError(f"x has shape {tuple(x.shape)}, but the plan is for a batch of {partner.shape[0]} samples")
    x = as_mixable(x)
    weight = lam.to(x.dtype).view(-1, *[1] * (x.dim() - 1))
    # index_select is the faster gather, but would lose another memory format, such as channels last.
    partners = x.index_select(0, partner) if x.is_contiguous() else x[partner]
    # The partners are moved towards x in place: torch's lerp(a, b, w) puts the weight w on b.
    return partners.lerp_(x, weight)


def as_mixable(x: Tensor) -> Tensor:
    """Return ``x`` in a dtype that can be averaged: floats as they are, uint8 images as float32 in [0, 255].

    Raises:
        DataError: for other integers, which stand for something (tokens, counts) that has no average.
    """
    if x.is_floating_point():
        return x
    if x.dtype == torch.uint8:
        return x.to(torch.float32)
    raise DataError(
        f"x has dtype {x.dtype}, which has no average: mix floats or uint8 images; for tokens mix their embeddings"
    )


def map_tensors(function: Callable[[Tensor], Tensor], x: Any) -> Any:
    """Return ``function`` of a tensor, or of every tensor in a tuple, named tuple, list or mapping.

    Raises:
        DataError: if something else is found.
    """
    if isinstance(x, Tensor):
        return function(x)
    if isinstance(x, Mapping):
        return {key: map_tensors(function, value) for key, value in x.items()}
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(map_tensors(function, value) for value in x))
    if isinstance(x, list | tuple):
        return type(x)(map_tensors(function, value) for value in x)
    raise DataError(f"x holds a {type(x).__name__}: give a tensor, or a tuple, list or dictionary of tensors")


@dataclass(frozen=True)
class InputSpace:
    """Mixes inputs linearly: ``lam * x + (1 - lam) * x[partner]``.

    Works on a tensor of any layout (B, ...) and on tuples, lists and dictionaries of such tensors, all mixed by the
    same plan.
    """

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor | None:
        """Return ``None``: nothing about the place is random."""
        return None

    def plan(self, drawn: Tensor | None, partner: Tensor, lam: Tensor, sample_shape: tuple[int, ...] | None) -> MixPlan:
        """Return the plan with lam as it is."""
        return MixPlan(partner, lam)

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the mixed batch; see :func:`lerp_with_partner` for dtypes and errors."""
        return map_tensors(lambda tensor: lerp_with_partner(tensor, plan.partner, plan.lam), x)

    def unmixed(self, x: Any) -> Any:
        """Return the batch as it is; uint8 becomes float32, so that a model sees one dtype all along."""
        return map_tensors(as_mixable, x)
