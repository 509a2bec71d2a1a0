"""Coefficient: how much of the sample itself stays in the mixture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError
from overmix.mix.side import Need, SideInfo
from overmix.real_numbers import is_real

_HALVES = 1e15
"""Above this alpha the law's standard deviation is below float32's resolution at 1/2, and NumPy's sampler overflows."""

Per = Literal["batch", "sample"]
"""Whether a batch shares one coefficient or every sample has its own."""


@runtime_checkable
class Coefficient(Protocol):
    """The law of lam, the weight of the sample itself: raw numbers first, lam once the pairs are known."""

    @property
    def needs(self) -> frozenset[Need]:
        """What :meth:`lam` must be told; nothing by default."""
        return frozenset()

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return the raw numbers of one batch, on the CPU."""
        ...

    def lam(self, drawn: Tensor, partner: Tensor, side: SideInfo) -> Float[Tensor, " batch"]:
        """Return lam of each sample, shape (B,), float32 in [0, 1], on the device of ``drawn``.

        Args:
            drawn: what :meth:`draw` returned, perhaps moved to another device.
            partner: each sample's partner, shape (B,), for coefficients that look at the pair.
            side: what is known of the batch.
        """
        ...


@dataclass(frozen=True)
class BetaCoefficient(Coefficient):
    """lam ~ Beta(alpha, alpha).

    ``alpha=0`` is the limit without mixing (lam = 1, where the law would put half its mass on 0 and half on 1, which
    is the same thing up to the names of the two partners) and ``alpha=inf`` the limit lam = 1/2.

    Args:
        alpha: concentration, >= 0; 1 is the uniform law. Larger values mix more strongly.
        per: ``"batch"`` draws one lam for the whole batch, as Zhang et al. (2018) do; ``"sample"`` one for each sample.

    Raises:
        ConfigError: if alpha is negative or not a number, or ``per`` is neither of the two.

    Example:
        >>> lam = BetaCoefficient(alpha=1.0).draw(np.random.default_rng(0), batch_size=3)
        >>> bool((lam == lam[0]).all())
        True
    """

    alpha: float = 1.0
    per: Per = "batch"

    def __post_init__(self) -> None:
        if not is_real(self.alpha) or math.isnan(self.alpha) or self.alpha < 0:
            raise ConfigError("alpha", self.alpha, "use a number >= 0 (0 mixes nothing, 1 is uniform, inf is halves)")
        if self.per not in ("batch", "sample"):
            raise ConfigError("per", self.per, "use 'batch' (one lam for all) or 'sample' (one lam each)")

    def draw(self, rng: np.random.Generator, batch_size: int) -> Float[Tensor, " batch"]:
        """Return lam, shape (B,), float32; with ``per="batch"`` all entries are equal."""
        if self.alpha == 0:
            return torch.ones(batch_size)
        if self.alpha > _HALVES:
            return torch.full((batch_size,), 0.5)
        if self.per == "batch":
            return torch.full((batch_size,), rng.beta(self.alpha, self.alpha))
        return torch.from_numpy(rng.beta(self.alpha, self.alpha, size=batch_size).astype(np.float32))

    def lam(self, drawn: Tensor, partner: Tensor, side: SideInfo) -> Float[Tensor, " batch"]:
        """Return lam as it was drawn: it does not depend on the pair."""
        return drawn


@dataclass(frozen=True)
class FixedCoefficient(Coefficient):
    """lam is the same number always.

    Args:
        value: the weight of the sample itself, in [0, 1].

    Raises:
        ConfigError: if it is outside of [0, 1].

    Example:
        >>> FixedCoefficient(0.5).draw(np.random.default_rng(0), batch_size=2)
        tensor([0.5000, 0.5000])
    """

    value: float

    def __post_init__(self) -> None:
        if not is_real(self.value) or not 0 <= self.value <= 1:
            raise ConfigError("lam", self.value, "use a number in [0, 1]")

    def draw(self, rng: np.random.Generator, batch_size: int) -> Float[Tensor, " batch"]:
        """Return the same number for every sample, shape (B,), float32."""
        return torch.full((batch_size,), float(self.value))

    def lam(self, drawn: Tensor, partner: Tensor, side: SideInfo) -> Float[Tensor, " batch"]:
        """Return lam as it was drawn: it does not depend on the pair."""
        return drawn
