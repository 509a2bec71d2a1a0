"""Semantic equivariant Mixup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError
from overmix.mix import BetaCoefficient, MixPlan, Need, Objective, Per, RandomPairing, Recipe
from overmix.mix.capture import captured
from overmix.mix.precision import in_loss_precision
from overmix.mix.space import join_batches, weight_like
from overmix.real_numbers import is_real
from overmix.recipes.registry import register


@register(
    source="Han et al.: Semantic Equivariant Mixup (arXiv 2308.06451); distance and weight of the term are our choice",
    target="both labels with their weights, cross-entropy, plus the distance of representations",
)
class SemanticEquivariantMixup(Recipe):
    """``loss = CE(f(x'), y') + eta mean((g(x') - lam g(x_i) - (1 - lam) g(x_j))**2)``, g the representation.

    The mixture's representation should be the mixture of the representations. Clean samples and mixtures go through the
    model in one batch, so that layers which look at the batch, such as BatchNorm, see both. Because it looks into the
    model, the loss comes from ``recipe.objective(model, x, y, plan)``.

    Args:
        alpha: concentration of the Beta law, >= 0.
        eta: weight of the second term, >= 0; 0 is Mixup.
        layer: name of the layer whose output is g; ``None`` means what enters the last linear layer.
        clean_gradient: ``"flow"`` trains the representations of the clean samples too, ``"stop"`` holds them fixed.
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.

    Raises:
        ConfigError: if a parameter is out of range.

    Example:
        >>> from overmix.mix import Streams
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
        >>> x, y, recipe = torch.rand(4, 3), torch.tensor([0, 1, 1, 0]), SemanticEquivariantMixup()
        >>> plan = recipe.plan(recipe.draw(Streams(), batch_size=4))
        >>> recipe.objective(model, x, y, plan).shape
        torch.Size([])
    """

    asks: ClassVar[frozenset[Need]] = frozenset({"clean", "hidden"})

    def __init__(
        self,
        alpha: float = 1.0,
        eta: float = 1.0,
        layer: str | None = None,
        clean_gradient: str = "flow",
        per: Per = "batch",
    ) -> None:
        super().__init__(RandomPairing(), BetaCoefficient(alpha, per))
        if not is_real(eta) or not 0 <= eta < float("inf"):
            raise ConfigError("eta", eta, "use a number >= 0")
        if clean_gradient not in ("flow", "stop"):
            raise ConfigError("clean_gradient", clean_gradient, "use 'flow' or 'stop'")
        self.eta, self.layer, self.clean_gradient = float(eta), layer, clean_gradient

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the clean samples, followed by their mixtures; only the mixtures if the second term has no weight."""
        mixed = super().apply(plan, x)
        return join_batches(self.space.unmixed(x), mixed, batch_axis=plan.lam.dim() - 1) if self.eta else mixed

    def mixed_loss(
        self, model: Callable[[Any], Tensor], x_mixed: Any, y: Tensor, plan: MixPlan, loss: Objective | None = None
    ) -> Tensor:
        """Return the loss of the mixtures, the cross-entropy by default, plus the weighted equivariance gap."""
        if not self.eta:
            return super().mixed_loss(model, x_mixed, y, plan, loss)
        with captured(model, self.layer) as seen:
            logits = model(x_mixed)
        clean, mixed = seen[0].chunk(2)
        if self.clean_gradient == "stop":
            clean = clean.detach()
        gap = equivariance_gap(mixed, clean, plan)
        return self._loss_of(self.target(plan, y), logits.chunk(2)[1], loss) + self.eta * gap

    def floors(self, plan: MixPlan, y: Tensor, loss: Objective) -> Tensor:
        """Return what no model's loss of each mixture is below, shape (B,): the gap may be 0."""
        return loss.floors(*self.space.labels(plan, y))


def equivariance_gap(
    mixed: Float[Tensor, "batch *features"], clean: Float[Tensor, "batch *features"], plan: MixPlan
) -> Float[Tensor, ""]:
    """``mean((g(x') - lam g(x_i) - (1 - lam) g(x_j))**2)`` over samples and features.

    0 for any affine g. It grows with the square of the representations' scale, and is also 0 for a constant g.

    Args:
        mixed: representations of the mixtures, shape (B, ...).
        clean: representations of the clean samples, same shape.
        plan: the plan that made the mixtures.
    """
    mixed, clean = in_loss_precision(mixed), in_loss_precision(clean)
    expected = torch.lerp(clean[plan.partner], clean, weight_like(plan.lam, clean))
    return (mixed - expected).square().mean()
