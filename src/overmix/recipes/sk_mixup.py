"""Similarity Kernel Mixup."""

from __future__ import annotations

from overmix.mix import RandomPairing, Recipe, SimilarityCoefficient
from overmix.recipes.registry import register


@register(
    source="Bouniot, Mozharovskyi, d'Alché-Buc: Tailoring Mixup to Data for Calibration (ICLR 2025)",
)
class SKMixup(Recipe):
    """``x' = lam x_i + (1 - lam) x_j``, ``y'`` likewise, ``lam ~ Beta(tau, tau)``, tau falls with the distance.

    ``tau = tau_max exp(-(d - 1) / (2 tau_std**2))`` with d the squared distance of the pair's features over the mean of
    the batch: close pairs are mixed strongly. For another alpha than 1, lam is the Beta(tau, tau) quantile of a
    Beta(alpha, alpha) draw. It needs ``features``, usually the model's own representation of the clean batch.

    Args:
        alpha: concentration of the law that is warped, >= 0; ``alpha=0`` mixes nothing.
        tau_max: tau of a pair at the mean distance, > 0.
        tau_std: how slowly tau falls with the distance, > 0.
        layer: in studies, the layer whose output the features are, taken from the model in evaluation mode just before
            each step, without a gradient; ``None`` means what enters the last linear layer.

    Raises:
        ConfigError: if a parameter is out of range.

    Example:
        >>> import torch
        >>> x, y = torch.rand(6, 3), torch.arange(6)
        >>> x_mixed, target = SKMixup()(x, y, features=x)
    """

    def __init__(
        self, alpha: float = 1.0, tau_max: float = 1.0, tau_std: float = 0.25, layer: str | None = None
    ) -> None:
        super().__init__(RandomPairing(), SimilarityCoefficient(alpha, tau_max, tau_std))
        self.feature_layer = layer
