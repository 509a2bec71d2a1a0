"""LISA: selective augmentation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Int
from overmix.mix import Need, Pairing, Per, Recipe, SelectivePairing, SideInfo
from overmix.mix.coefficient_shapes import beta_or_coin, check_probability
from overmix.recipes.registry import register

_WITHIN_CLASS = SelectivePairing(label="same", domain="different")
_WITHIN_DOMAIN = SelectivePairing(label="different", domain="same")


@dataclass(frozen=True)
class LISAPairing(Pairing):
    """For each batch, partners of one class and different domains, or of one domain and different classes.

    Args:
        within_class: probability of the first, in [0, 1].

    Raises:
        ConfigError: if it is no probability.
    """

    within_class: float = 0.5

    def __post_init__(self) -> None:
        check_probability("within_class", self.within_class)

    @property
    def needs(self) -> frozenset[Need]:
        """The domains."""
        return frozenset({"domain"})

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return a uniform number for each sample and the batch's kind of pairs, shape (B, 2), float32."""
        share = rng.random(batch_size, dtype=np.float32)
        kind = np.full(batch_size, rng.random() < self.within_class, dtype=np.float32)
        return torch.from_numpy(np.stack([share, kind], axis=-1))

    def partner(self, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return each sample's partner; itself if no other is eligible."""
        share, within_class = drawn[:, 0], drawn[:, 1] > 0
        return torch.where(within_class, _WITHIN_CLASS.partner(share, side), _WITHIN_DOMAIN.partner(share, side))


@register(
    source="Yao, Wang, Li, Zhang, Liang, Zou, Finn: Improving Out-of-Distribution Robustness via Selective "
    "Augmentation (ICML 2022)"
)
class LISA(Recipe):
    """``x' = lam x_i + (1 - lam) x_j``, ``y'`` likewise, j of i's class and another domain, or the other way round.

    Which of the two holds is drawn anew for every batch. It needs ``domain``.

    Args:
        alpha: concentration of the Beta law, >= 0; ``alpha=0`` mixes nothing.
        within_class: probability of a batch with partners of one class and different domains, in [0, 1].
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.
        mix: ``True`` mixes; ``False`` only resamples: every sample is itself or its partner, whole.

    Raises:
        ConfigError: if a parameter is out of range.

    Example:
        >>> x, y, domain = torch.rand(4, 3), torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
        >>> x_mixed, target = LISA(within_class=1.0)(x, y, domain=domain)
        >>> bool((target.a == target.b).all())
        True
    """

    for_labels = ("classes",)

    def __init__(self, alpha: float = 2.0, within_class: float = 0.5, per: Per = "sample", mix: bool = True) -> None:
        super().__init__(LISAPairing(within_class), beta_or_coin(alpha, per, mix=mix))
