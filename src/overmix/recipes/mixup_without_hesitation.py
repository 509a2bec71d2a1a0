"""Mixup without hesitation."""

from __future__ import annotations

from overmix.mix import BetaCoefficient, FoldedCoefficient, Per, RandomPairing, Recipe
from overmix.recipes.registry import register


@register(
    source="Yu, Wang, Wu: Mixup without Hesitation (2021)",
    schedule="every batch, then every second epoch, then ever fewer batches",
)
class MixupWithoutHesitation(Recipe):
    """``x' = lam x_i + (1 - lam) x_j``, ``y'`` likewise, ``lam = max(l, 1 - l)``, ``l ~ Beta(alpha, alpha)``.

    The sample itself is never the smaller part. The method's three stages are a schedule, given beside the recipe.

    Args:
        alpha: concentration of the Beta law, >= 0; the authors use 0.5. ``alpha=0`` mixes nothing.
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.

    Raises:
        ConfigError: if alpha is negative or not a number.

    Example:
        >>> import torch
        >>> x_mixed, target = MixupWithoutHesitation()(torch.rand(4, 3), torch.arange(4))
        >>> bool((target.lam >= 0.5).all())
        True
    """

    def __init__(self, alpha: float = 0.5, per: Per = "batch") -> None:
        super().__init__(RandomPairing(), FoldedCoefficient(BetaCoefficient(alpha, per)))
