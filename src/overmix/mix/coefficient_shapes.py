"""Coefficients made from others: folded, gated, and the coin that mixes nothing but swaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError
from overmix.mix.coefficient import BetaCoefficient, Coefficient, Per
from overmix.mix.side import Need, SideInfo
from overmix.real_numbers import is_real


@dataclass(frozen=True)
class FoldedCoefficient(Coefficient):
    """``max(l, 1 - l)`` with l from another law: the sample itself is never the smaller part.

    Args:
        base: the law of l.

    Example:
        >>> from overmix.mix import FixedCoefficient
        >>> folded = FoldedCoefficient(FixedCoefficient(0.25))
        >>> folded.lam(folded.draw(np.random.default_rng(0), 2), torch.tensor([1, 0]), SideInfo())
        tensor([0.7500, 0.7500])
    """

    base: Coefficient

    @property
    def needs(self) -> frozenset[Need]:
        """What the other law needs."""
        return self.base.needs

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return the raw numbers of the other law."""
        return self.base.draw(rng, batch_size)

    def lam(self, drawn: Tensor, partner: Tensor, side: SideInfo) -> Float[Tensor, " batch"]:
        """Return the larger of l and 1 - l."""
        lam = self.base.lam(drawn, partner, side)
        return torch.maximum(lam, 1 - lam)


@dataclass(frozen=True)
class GatedCoefficient(Coefficient):
    """l from another law with a given probability, 1 otherwise, for each sample by itself.

    Args:
        base: the law of l.
        probability: of a sample to be mixed at all, in [0, 1].

    Raises:
        ConfigError: if the probability is none.

    Example:
        >>> from overmix.mix import FixedCoefficient
        >>> gated = GatedCoefficient(FixedCoefficient(0.25), probability=0.0)
        >>> gated.lam(gated.draw(np.random.default_rng(0), 2), torch.tensor([1, 0]), SideInfo())
        tensor([1., 1.])
    """

    base: Coefficient
    probability: float = 0.5

    def __post_init__(self) -> None:
        check_probability("probability", self.probability)

    @property
    def needs(self) -> frozenset[Need]:
        """What the other law needs."""
        return self.base.needs

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return the raw numbers of the other law and the gate, shape (B, 2)."""
        drawn = self.base.draw(rng, batch_size)
        gate = torch.from_numpy(rng.random(batch_size) < self.probability)
        return torch.stack([drawn, gate.to(drawn.dtype)], dim=-1)

    def lam(self, drawn: Tensor, partner: Tensor, side: SideInfo) -> Float[Tensor, " batch"]:
        """Return l where the gate is open, 1 elsewhere."""
        lam = self.base.lam(drawn[..., 0].contiguous(), partner, side)
        return torch.where(drawn[..., 1] > 0, lam, 1.0)


@dataclass(frozen=True)
class CoinCoefficient(Coefficient):
    """0 or 1 with equal probability, for each sample: the sample or its partner, whole.

    It keeps what a pairing does to the distribution of the training data, and leaves the mixing out.
    """

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return lam, shape (B,), float32."""
        return torch.from_numpy(rng.integers(0, 2, size=batch_size).astype(np.float32))

    def lam(self, drawn: Tensor, partner: Tensor, side: SideInfo) -> Float[Tensor, " batch"]:
        """Return lam as it was drawn."""
        return drawn


def beta_or_coin(alpha: float, per: Per, *, mix: bool) -> Coefficient:
    """Return ``Beta(alpha, alpha)``, or the control that keeps the pairs and leaves the mixing out.

    Raises:
        ConfigError: if alpha or ``per`` cannot work, or ``mix`` is no boolean.
    """
    if not isinstance(mix, bool):
        raise ConfigError("mix", mix, "use True to mix, or False to resample only")
    beta = BetaCoefficient(alpha, per)
    return beta if mix else CoinCoefficient()


def check_probability(field: str, value: object) -> None:
    """Refuse what is not a number in [0, 1].

    Raises:
        ConfigError: that names the field.
    """
    if not is_real(value) or not 0 <= value <= 1:
        raise ConfigError(field, value, "use a number in [0, 1]")
