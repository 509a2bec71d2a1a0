"""Manifold Mixup."""

from __future__ import annotations

from collections.abc import Sequence

from overmix.mix import BetaCoefficient, HiddenSpace, Masks, Per, RandomPairing, Recipe
from overmix.recipes.registry import register


@register(
    source="Verma, Lamb, Beckham, Najafi, Mitliagkas, Lopez-Paz, Bengio: Manifold Mixup: Better Representations by "
    "Interpolating Hidden States (ICML 2019)"
)
class ManifoldMixup(Recipe):
    """``h' = lam h_i + (1 - lam) h_j``, ``y' = lam y_i + (1 - lam) y_j`` at a layer drawn anew for every batch.

    Because it mixes inside of the model, the loss comes from ``recipe.objective(model, x, y, plan)``.

    Args:
        alpha: concentration of the Beta law, >= 0. ``alpha=0`` mixes nothing.
        layers: the candidates: names as ``model.named_modules()`` lists them, whose outputs are mixed, and ``"input"``
            for the samples themselves. With the input alone it is Mixup.
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.
        masks: what becomes of masks, integers and booleans in a dictionary or tuple of inputs: ``"union"``,
            ``"intersection"``, ``"keep"``, or one of these for each name; see :class:`overmix.mix.HiddenSpace`.

    Raises:
        ConfigError: if alpha is negative or not a number, or no layer is named, or one twice.

    Example:
        >>> import torch
        >>> from overmix.mix import Streams
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> x, y = torch.rand(4, 3), torch.tensor([0, 1, 1, 0])
        >>> recipe = ManifoldMixup(alpha=2.0, layers=("input", "1"))
        >>> plan = recipe.plan(recipe.draw(Streams(), batch_size=4, step=0))
        >>> recipe.objective(model, x, y, plan).shape
        torch.Size([])
    """

    def __init__(
        self, alpha: float = 2.0, layers: Sequence[str] = ("input",), per: Per = "batch", masks: Masks = None
    ) -> None:
        super().__init__(RandomPairing(), BetaCoefficient(alpha, per), HiddenSpace(layers, masks))
