"""Selective pairing: the partner's class and domain are the same as the sample's, or different."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from overmix._typing import Bool, Float
from overmix.errors import ConfigError, DataError
from overmix.mix.side import Need, SideInfo
from overmix.mix.weighted import WeightedPairing

Relation = Literal["any", "same", "different"]
"""What must hold between a sample and its partner."""


@dataclass(frozen=True)
class SelectivePairing(WeightedPairing):
    """Partners are uniform among those whose class, and domain, are the same or different, as asked.

    A sample is its own partner only if nobody is eligible.

    Args:
        label: what must hold between the two classes.
        domain: what must hold between the two domains.

    Raises:
        ConfigError: if one of them is no relation.

    Example:
        >>> pairing = SelectivePairing(label="different")
        >>> side = SideInfo(y=torch.tensor([0, 0, 0, 1]))
        >>> pairing.partner(torch.rand(4), side)[:3]
        tensor([3, 3, 3])
    """

    label: Relation = "different"
    domain: Relation = "any"

    def __post_init__(self) -> None:
        for field in ("label", "domain"):
            if getattr(self, field) not in ("any", "same", "different"):
                raise ConfigError(field, getattr(self, field), "use 'any', 'same' or 'different'")

    @property
    def needs(self) -> frozenset[Need]:
        """The domains, if they matter."""
        return frozenset() if self.domain == "any" else frozenset({"domain"})

    def weights(self, side: SideInfo) -> Float[Tensor, "batch batch"]:
        """Return 1.0 for eligible partners and 0.0 for the others, shape (B, B)."""
        return self.eligible(side).to(torch.float32)

    def eligible(self, side: SideInfo) -> Bool[Tensor, "batch batch"]:
        """Return which partners each sample may have, shape (B, B).

        Raises:
            DataError: if classes matter, and the labels are no class indices.
        """
        related = []
        if self.label != "any":
            related.append(_related(side.classes("pairs are made by class"), self.label))
        if self.domain != "any" and side.domain is not None:
            related.append(_related(side.domain, self.domain))
        known = side.domain if side.y is None else side.y
        if known is None:
            raise DataError("pairs are made by class or domain, but neither is given")
        others = ~torch.eye(known.shape[0], dtype=torch.bool, device=known.device)
        for relation in related:
            others = others & relation
        return others


def _related(group: Tensor, relation: Relation) -> Bool[Tensor, "batch batch"]:
    same = group.unsqueeze(0) == group.unsqueeze(1)
    return same if relation == "same" else ~same
