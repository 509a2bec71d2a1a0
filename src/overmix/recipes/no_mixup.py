"""No mixing at all."""

from __future__ import annotations

from overmix.mix import FixedCoefficient, Recipe, SelfPairing
from overmix.recipes.registry import register


@register(
    source="empirical risk minimisation: Vapnik, Principles of Risk Minimization for Learning Theory (1991)",
    target="the own label, cross-entropy",
)
class NoMixup(Recipe):
    """``x' = x_i``, ``y' = y_i``: plain training, the condition that everything is compared with.

    Example:
        >>> import torch
        >>> x, y = torch.rand(4, 3), torch.arange(4)
        >>> x_mixed, target = NoMixup()(x, y)
        >>> bool((x_mixed == x).all()), target.lam.tolist()
        (True, [1.0, 1.0, 1.0, 1.0])
    """

    for_labels = ("classes", "rows", "values", "views")

    def __init__(self) -> None:
        super().__init__(SelfPairing(), FixedCoefficient(1.0))
