"""The mixing plan: who is mixed with whom, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overmix._typing import Float, Int
from overmix.errors import DataError


@dataclass(frozen=True)
class MixPlan:
    """Sample i becomes ``lam[i] * x[i] + (1 - lam[i]) * x[partner[i]]``, or what its space makes of that.

    A plan is data: it can be logged, replayed and tested, and applying it is a pure function.

    Args:
        partner: shape (B,), int64, the index in the batch of each sample's partner. ``partner[i] == i`` is allowed and
            means that the sample stays itself.
        lam: shape (B,), floating point, the weight of the sample itself, in [0, 1].
        box: shape (B, 4) int64 or ``None``: for patch methods the region (top, left, bottom, right), half open, that
            comes from the partner.

    Example:
        >>> MixPlan.identity(3).partner
        tensor([0, 1, 2])
    """

    partner: Int[Tensor, "*stack batch"]
    lam: Float[Tensor, "*stack batch"]
    box: Int[Tensor, "*stack batch 4"] | None = None

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

    @property
    def batch_size(self) -> int:
        """Number of samples B."""
        return self.partner.shape[-1]

    def to(self, device: torch.device | str) -> MixPlan:
        """Return the plan on another device; the copy from the CPU does not wait for it."""
        move = {"device": device, "non_blocking": True}
        box = None if self.box is None else self.box.to(**move)  # type: ignore[call-overload]
        return MixPlan(self.partner.to(**move), self.lam.to(**move), box)  # type: ignore[call-overload]
