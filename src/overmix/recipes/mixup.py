"""Mixup."""

from __future__ import annotations

from overmix.mix import BetaCoefficient, InputSpace, Masks, Per, RandomPairing, Recipe
from overmix.recipes.registry import register


@register(source="Zhang, Cisse, Dauphin, Lopez-Paz: mixup: Beyond Empirical Risk Minimization (ICLR 2018)")
class Mixup(Recipe):
    """``x' = lam x_i + (1 - lam) x_j``, ``y' = lam y_i + (1 - lam) y_j``, ``lam ~ Beta(alpha, alpha)``.

    Partners are a random permutation of the batch; one lam per batch, as in the authors' code.

    Args:
        alpha: concentration of the Beta law, >= 0; 1 is uniform (usual for small images), 0.1 to 0.4 is usual for
            ImageNet. ``alpha=0`` mixes nothing; ``alpha=inf`` always takes halves.
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.
        masks: what becomes of masks, integers and booleans in a dictionary or tuple of inputs: ``"union"``,
            ``"intersection"``, ``"keep"``, or one of these for each name; see :class:`overmix.mix.InputSpace`.

    Raises:
        ConfigError: if alpha is negative or not a number.

    Example:
        >>> import torch
        >>> x, y = torch.rand(4, 1, 8, 8), torch.tensor([3, 1, 4, 1])
        >>> x_mixed, target = Mixup(alpha=1.0)(x, y, generator=torch.Generator().manual_seed(0))
        >>> x_mixed.shape
        torch.Size([4, 1, 8, 8])
    """

    def __init__(self, alpha: float = 1.0, per: Per = "batch", masks: Masks = None) -> None:
        super().__init__(RandomPairing(), BetaCoefficient(alpha, per), InputSpace(masks))
