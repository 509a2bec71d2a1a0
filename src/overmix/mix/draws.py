"""The raw random numbers of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from overmix.mix.records import of_records


@dataclass(frozen=True)
class Draws:
    """The raw random numbers of one batch, drawn on the CPU before anything else is known.

    Args:
        pairing: raw numbers of the pairing.
        coefficient: raw numbers of the coefficient.
        space: raw numbers of the space, if it has any.
        choice: which method is used, shape (B,), int64, where there is a choice.
        parts: the draws of each of these methods.
    """

    pairing: Tensor | None = None
    coefficient: Tensor | None = None
    space: Tensor | None = None
    choice: Tensor | None = None
    parts: tuple[Draws, ...] = ()

    @classmethod
    def stack(cls, draws: Sequence[Draws]) -> Draws:
        """Return the draws of several replicas, all of one method, as one whose shapes begin with their number."""
        return of_records(lambda *tensors: torch.stack(tensors), *draws)

    def to(self, device: torch.device | str) -> Draws:
        """Return the draws on another device; the copy from the CPU does not wait for it."""
        return of_records(lambda tensor: tensor.to(device, non_blocking=True), self)


def _flatten(draws: Draws) -> tuple[list[Any], tuple[str, ...]]:
    present = {name: value for name, value in vars(draws).items() if value is not None}
    return list(present.values()), tuple(present)


def _unflatten(leaves: Iterable[Any], names: tuple[str, ...]) -> Draws:
    return Draws(**dict(zip(names, leaves, strict=True)))


# So that torch.func.vmap maps a recipe's plan over stacked draws.
pytree.register_pytree_node(Draws, _flatten, _unflatten, serialized_type_name="overmix.mix.Draws")
