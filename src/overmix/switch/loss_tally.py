"""LossTally: the training loss of one epoch and its floor, on the way from batches to what a policy sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from overmix.errors import DataError
from overmix.mix import EntropyLoss, MixedTarget
from overmix.mix.precision import in_widest
from overmix.switch.policy import Fit
from overmix.switch.ranks import gather, world_size

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass
class LossTally:
    """Sums over the batches of one epoch, on the device of the loss: nothing waits for it.

    Args:
        n: number of samples.
        loss: sum over samples; None before the first batch.
        floor: sum of the entropies of their labels.
    """

    n: int = 0
    loss: Tensor | None = None
    floor: Tensor | None = None

    def add(self, loss: Tensor, target: MixedTarget, kind: EntropyLoss = "cross_entropy") -> None:
        """Add a batch.

        Raises:
            DataError: if the loss is not one number, or the labels have no entropy under that kind of loss.
            ConfigError: if the loss is of no kind that has a floor.
        """
        if not isinstance(target, MixedTarget):
            raise DataError(f"observe_loss: target is a {type(target).__name__}: give one task's loss and MixedTarget")
        if not isinstance(loss, Tensor):
            raise DataError(f"observe_loss: the loss is a {type(loss).__name__}: give the tensor, not loss.item()")
        if loss.numel() != 1:
            raise DataError(f"observe_loss: the loss has shape {tuple(loss.shape)}: give the mean over the batch")
        n = target.lam.shape[0]
        total, floor = in_widest(loss.detach().reshape(())) * n, in_widest(target.entropy(kind)).sum()
        self.n += n
        # What a resumed epoch begins with lies on the CPU.
        self.loss = total if self.loss is None else self.loss.to(total) + total
        self.floor = floor if self.floor is None else self.floor.to(floor) + floor

    def fit(self, epoch: int, mixing: float) -> Fit | None:
        """Return the means, or None if nothing was told.

        Raises:
            DataError: if rows on another device turn out to be no probabilities.
        """
        if self.loss is None or self.floor is None:
            return None
        loss, floor = float(self.loss) / self.n, float(self.floor) / self.n
        if math.isnan(floor):  # what rows hold is not looked at batch by batch, where that would wait for the device
            raise DataError("observe_loss: the labels are no probabilities of that kind: a regression has no floor")
        return Fit(epoch, mixing, self.n, loss, floor)

    def pooled(self) -> LossTally:
        """Return the sums over all ranks, the same on each of them; every rank must call it."""
        if world_size() == 1:
            return self
        return self.from_plain(torch.stack(gather(self._vector())).sum(0).tolist())

    def plain(self) -> list[float]:
        """Return it as numbers."""
        return [float(value) for value in self._vector()]

    @classmethod
    def from_plain(cls, saved: list[float]) -> Self:
        """Undo :meth:`plain`."""
        if not saved[0]:
            return cls()
        loss, floor = torch.tensor(saved[1:], dtype=torch.float64)
        return cls(int(saved[0]), loss, floor)

    def _vector(self) -> Tensor:
        zero = torch.zeros((), dtype=torch.float64)
        loss, floor = (zero if value is None else value.cpu().double() for value in (self.loss, self.floor))
        return torch.stack([zero + self.n, loss, floor])
