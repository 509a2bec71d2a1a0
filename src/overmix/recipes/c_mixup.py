"""C-Mixup."""

from __future__ import annotations

from overmix.mix import BetaCoefficient, KernelPairing, Per, Recipe, SquaredError
from overmix.mix.weighted import LengthUnit
from overmix.recipes.registry import register


@register(
    source="Yao, Wang, Zhang, Zou, Finn: C-Mixup: Improving Generalization in Regression (NeurIPS 2022)",
    target="the mixed value, mean squared error",
)
class CMixup(Recipe):
    """``x' = lam x_i + (1 - lam) x_j``, ``y'`` likewise, ``P(j | i) ~ exp(-||y_i - y_j||**2 / (2 s**2))``.

    For regression: partners have similar labels, s being sigma standard deviations of them. They come from the batch,
    and may be the sample itself.

    Args:
        alpha: concentration of the Beta law, >= 0; ``alpha=0`` mixes nothing.
        sigma: width of the kernel, > 0; ``sigma=inf`` draws partners uniformly.
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.
        unit: ``"std"`` takes sigma in standard deviations of the batch's labels, ``"label"`` in their own unit.

    Raises:
        ConfigError: if alpha is negative, or sigma not positive, or the unit unknown.

    Example:
        >>> import torch
        >>> x, y = torch.rand(4, 3), torch.tensor([0.0, 0.1, 5.0, 5.1])
        >>> x_mixed, target = CMixup(sigma=0.1)(x, y)
        >>> bool(((target.a - target.b).abs() < 1).all())
        True
    """

    for_labels = ("values", "rows")

    usual_loss = SquaredError()

    def __init__(self, alpha: float = 2.0, sigma: float = 1.0, per: Per = "batch", unit: LengthUnit = "std") -> None:
        super().__init__(KernelPairing(sigma, unit), BetaCoefficient(alpha, per))
