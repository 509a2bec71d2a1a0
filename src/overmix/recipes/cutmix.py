"""CutMix."""

from __future__ import annotations

from overmix.mix import Axes, BetaCoefficient, PatchSpace, Per, RandomPairing, Recipe
from overmix.recipes.registry import register


@register(
    source="Yun, Han, Oh, Chun, Choe, Yoo: CutMix: Regularization Strategy to Train Strong Classifiers with "
    "Localizable Features (ICCV 2019)"
)
class CutMix(Recipe):
    """``x' = M * x_i + (1 - M) * x_j``, ``y' = lam y_i + (1 - lam) y_j``, M zero in a box, lam the share outside of it.

    The box has a uniform centre, sides of ratio ``sqrt(1 - l)`` with ``l ~ Beta(alpha, alpha)``, and is clipped at the
    border; lam is then the exact share of pixels that stayed. Signals are cut along their one axis.

    Args:
        alpha: concentration of the Beta law, >= 0; 1 is uniform. ``alpha=0`` cuts nothing.
        per: ``"batch"`` draws one box for the batch, ``"sample"`` one for each sample.
        axes: 2 cuts the last two axes, 1 the last; ``None`` cuts two if the sample has two that are longer than 1.

    Raises:
        ConfigError: if alpha is negative or not a number, or ``per`` or ``axes`` is none of these.

    Example:
        >>> import torch
        >>> x, y = torch.rand(4, 1, 8, 8), torch.tensor([3, 1, 4, 1])
        >>> x_mixed, target = CutMix(alpha=1.0)(x, y, generator=torch.Generator().manual_seed(0))
        >>> target.lam * 64                       # pixels of 64 that are a sample's own
        tensor([60., 60., 60., 60.])
    """

    def __init__(self, alpha: float = 1.0, per: Per = "batch", axes: Axes | None = None) -> None:
        super().__init__(RandomPairing(), BetaCoefficient(alpha, per), PatchSpace(per, axes))
