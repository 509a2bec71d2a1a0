"""Pairing: who is mixed with whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Int
from overmix.mix.side import Need, SideInfo


@runtime_checkable
class Pairing(Protocol):
    """Draws raw numbers first, without seeing the batch, and turns them into partners afterwards."""

    @property
    def needs(self) -> frozenset[Need]:
        """What :meth:`partner` must be told; nothing by default."""
        return frozenset()

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return the raw numbers of one batch, on the CPU."""
        ...

    def partner(self, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return each sample's partner, shape (B,), int64, on the device of ``drawn``.

        Args:
            drawn: what :meth:`draw` returned, perhaps moved to another device.
            side: what is known of the batch.
        """
        ...


@dataclass(frozen=True)
class RandomPairing(Pairing):
    """A uniform random permutation of the batch (Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018).

    A sample may be its own partner: a permutation of B has a fixed point with probability about 1 - 1/e.

    Example:
        >>> drawn = RandomPairing().draw(np.random.default_rng(0), batch_size=4)
        >>> sorted(RandomPairing().partner(drawn, SideInfo()).tolist())
        [0, 1, 2, 3]
    """

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return a permutation of 0..B-1, int64."""
        return torch.from_numpy(rng.permutation(batch_size))

    def partner(self, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return the permutation as it was drawn: it looks at nothing else."""
        return drawn


@dataclass(frozen=True)
class SelfPairing(Pairing):
    """Every sample is its own partner: nothing is mixed."""

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return 0..B-1, int64."""
        return torch.arange(batch_size)

    def partner(self, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return 0..B-1."""
        return drawn
