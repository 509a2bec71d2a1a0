"""The mixing plan: who is mixed with whom, and how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from overmix._typing import Bool, Float, Int
from overmix.errors import DataError
from overmix.mix.records import of_records


@dataclass(frozen=True)
class MixPlan:
    """Sample i becomes ``lam[i] * x[i] + (1 - lam[i]) * x[partner[i]]``, or what its space makes of that.

    A plan is data: it can be logged, replayed and tested, and applying it is a pure function. Every entry belongs to a
    sample, so that the plans of several replicas stack: all shapes may then begin with (R, ...).

    Args:
        partner: shape (B,), int64, the index in the batch of each sample's partner. ``partner[i] == i`` is allowed and
            means that the sample stays itself.
        lam: shape (B,), floating point, the weight of the sample itself, in [0, 1].
        box: shape (B, 4), int64, or ``None``: for patch methods the region (top, left, bottom, right), half open, that
            comes from the partner.
        grid: sizes of the axes that the box lies in, (H, W), or (W,) where only one axis is cut.
        choice: shape (B,), int64, or ``None``: which of several places or methods is used, where there is a choice.
        parts: for a method made of several, the plan of each; those that are not chosen leave the batch as it is.

    Raises:
        DataError: if partner and lam have different shapes.

    Example:
        >>> MixPlan.identity(3).partner
        tensor([0, 1, 2])
    """

    partner: Int[Tensor, "*stack batch"]
    lam: Float[Tensor, "*stack batch"]
    box: Int[Tensor, "*stack batch 4"] | None = None
    grid: tuple[int, ...] | None = None
    choice: Int[Tensor, "*stack batch"] | None = None
    parts: tuple[MixPlan, ...] = ()

    def __post_init__(self) -> None:
        if self.partner.shape != self.lam.shape:
            raise DataError(
                f"plan: partner has shape {tuple(self.partner.shape)} but lam has {tuple(self.lam.shape)}: "
                "give one of each per sample"
            )

    @classmethod
    def identity(cls, batch_size: int, *, device: torch.device | str | None = None) -> MixPlan:
        """Return the plan that leaves a batch as it is: every sample its own partner, lam = 1."""
        return cls(torch.arange(batch_size, device=device), torch.ones(batch_size, device=device))

    @classmethod
    def stack(cls, plans: Sequence[MixPlan]) -> MixPlan:
        """Return the plans of several replicas, all of one method, as one whose shapes begin with their number."""
        return of_records(lambda *tensors: torch.stack(tensors), *plans)

    def at(self, index: int) -> MixPlan:
        """Return the plan of one replica, or of one step: every tensor at an index of its first dimension."""
        return of_records(lambda tensor: tensor[index], self)

    @property
    def batch_size(self) -> int:
        """Number of samples B."""
        return self.partner.shape[-1]

    @property
    def itself(self) -> Int[Tensor, " batch"]:
        """The index of each sample, shape (B,)."""
        return torch.arange(self.batch_size, device=self.partner.device)

    @property
    def alone(self) -> Bool[Tensor, "*stack batch"]:
        """Which samples are their own partner and so stay themselves, shape (B,)."""
        return self.partner == self.itself

    def only_where(self, mixed: Bool[Tensor, "*stack #batch"]) -> MixPlan:
        """Return a plan that does the same to the samples where ``mixed`` is true, and leaves the others as they are.

        Args:
            mixed: shape (B,), or (..., 1) to decide for whole batches.

        Example:
            >>> plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.5, 0.5]))
            >>> plan.only_where(torch.tensor([True, False])).lam
            tensor([0.5000, 1.0000])
        """
        return replace(
            self,
            partner=torch.where(mixed, self.partner, self.itself),
            lam=torch.where(mixed, self.lam, 1.0),
            # An empty box is in the corner.
            box=None if self.box is None else self.box * mixed.unsqueeze(-1),
            parts=tuple(part.only_where(mixed) for part in self.parts),
        )

    def to(self, device: torch.device | str) -> MixPlan:
        """Return the plan on another device; the copy from the CPU does not wait for it."""
        return of_records(lambda tensor: tensor.to(device, non_blocking=True), self)


_Context = tuple[tuple[str, ...], tuple[int, ...] | None]


def _flatten(plan: MixPlan) -> tuple[list[Any], _Context]:
    present = {name: value for name, value in vars(plan).items() if value is not None and name != "grid"}
    return list(present.values()), (tuple(present), plan.grid)


def _unflatten(leaves: Iterable[Any], context: _Context) -> MixPlan:
    # Not through __init__: torch.func also puts things that are no tensors in the place of leaves.
    plan = object.__new__(MixPlan)
    names, grid = context
    for name, leaf in {"box": None, "choice": None, "grid": grid, **dict(zip(names, leaves, strict=True))}.items():
        object.__setattr__(plan, name, leaf)
    return plan


# So that torch.func.vmap maps an objective over a stacked plan.
pytree.register_pytree_node(MixPlan, _flatten, _unflatten, serialized_type_name="overmix.mix.MixPlan")
