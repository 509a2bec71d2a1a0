"""Pairing within groups: a random permutation of each group of the batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Int
from overmix.errors import DataError
from overmix.mix.pairing import Pairing
from overmix.mix.side import Need, SideInfo
from overmix.mix.target import IGNORE_INDEX


def permute_within(listing: Int[Tensor, " batch"], group: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    """Return a permutation that maps every group onto itself, and is uniform if ``listing`` is.

    Args:
        listing: a permutation of 0..B-1, shape (B,): the samples in random order.
        group: number of each sample's group, shape (B,).

    Returns:
        Shape (B,), int64: the k-th sample of a group goes to the group's k-th in the listing. With a single group it is
        the listing itself.

    Example:
        >>> permute_within(torch.tensor([3, 0, 2, 1]), torch.tensor([7, 7, 5, 5]))
        tensor([0, 1, 3, 2])
    """
    # Not argsort, which functorch has no rule for under PyTorch 2.4.
    in_order = torch.sort(group, stable=True).indices
    as_listed = listing[torch.sort(group[listing], stable=True).indices]
    return torch.empty_like(listing).scatter(0, in_order, as_listed)


@dataclass(frozen=True)
class GroupPairing(Pairing):
    """A uniform random permutation within each group of the batch, such as the samples of one subject.

    The groups are the ``domain`` of the samples.
    """

    @property
    def needs(self) -> frozenset[Need]:
        """The groups."""
        return frozenset({"domain"})

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return a permutation of 0..B-1, int64."""
        return torch.from_numpy(rng.permutation(batch_size))

    def partner(self, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return each sample's partner in its own group, as an index into the whole batch."""
        if side.domain is None:
            raise DataError("pairs are made within groups: give the group of each sample as domain=")
        return permute_within(drawn, side.domain)


@dataclass(frozen=True)
class LabelledPairing(Pairing):
    """A uniform random permutation of the samples that have a label; the others stay themselves.

    Samples without one carry the ignored class index.

    Args:
        ignore_index: the class index of a sample without label.
    """

    ignore_index: int = IGNORE_INDEX

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return a permutation of 0..B-1, int64."""
        return torch.from_numpy(rng.permutation(batch_size))

    def partner(self, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return each labelled sample's labelled partner, and every other sample itself."""
        y = side.classes("the pool is who has a label").long()  # the ignored index is a class of uint8, else
        labelled = y != self.ignore_index
        itself = torch.arange(y.shape[0], device=y.device)
        return torch.where(labelled, permute_within(drawn, labelled.long()), itself)
