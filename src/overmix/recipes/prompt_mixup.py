"""Class-wise mixing of visual features for prompt tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from overmix.mix import BetaCoefficient, InputSpace, MixPlan, Per, Recipe, SelectivePairing
from overmix.mix.space import map_tensors
from overmix.recipes.registry import register


@dataclass(frozen=True)
class SphereSpace(InputSpace):
    """``v' = u / |u|`` with ``u = lam v_i + (1 - lam) v_j``: features of length 1 stay on the sphere.

    Features are scaled to length 1 first, whether they are mixed or not.
    """

    @property
    def is_linear(self) -> bool:
        """No: features are scaled to length 1, mixed or not."""
        return False

    def combine(self, plan: MixPlan, x: Tensor, partners: Tensor) -> Tensor:
        """Return mixtures of length 1, shape (B, D)."""
        return F.normalize(super().combine(plan, F.normalize(x, dim=-1), F.normalize(partners, dim=-1)), dim=-1)

    def unmixed(self, x: Any) -> Any:
        """Return the features with length 1."""
        return map_tensors(lambda features: F.normalize(features, dim=-1), super().unmixed(x))


@register(
    source="inspired by Zhang: Generalizable Prompt Tuning for Vision-Language Models (arXiv 2410.03189); "
    "the formula is ours"
)
class PromptMixup(Recipe):
    """``v' = norm(lam v_i + (1 - lam) v_j)``, ``y' = lam y_i + (1 - lam) y_j``, j of another class than i.

    For image features of a frozen encoder, matched with the text features of learned prompts: the model maps features
    of shape (B, D) to logits, the cosines with each class's text feature times a scale.

    Args:
        alpha: concentration of the Beta law, >= 0; ``alpha=0`` mixes nothing.
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.

    Raises:
        ConfigError: if alpha is negative or not a number.

    Example:
        >>> import torch
        >>> features, y = torch.randn(4, 8), torch.tensor([0, 1, 2, 0])
        >>> mixed, target = PromptMixup()(features, y)
        >>> bool((target.a != target.b).all())
        True
    """

    for_labels = ("classes",)

    def __init__(self, alpha: float = 1.0, per: Per = "batch") -> None:
        super().__init__(SelectivePairing(label="different"), BetaCoefficient(alpha, per), SphereSpace())
