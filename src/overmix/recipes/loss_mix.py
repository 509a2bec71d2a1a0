"""LossMix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from overmix._typing import Float
from overmix.errors import ConfigError, DataError, did_you_mean
from overmix.mix import BetaCoefficient, MixPlan, Objective, Per, RandomPairing, Recipe
from overmix.mix.space import first_tensor
from overmix.mix.target import mixed_criterion
from overmix.recipes.registry import register

Criterion = Callable[..., Tensor]
"""Takes output and labels, returns one loss per sample."""


# Modules, which pickle, and which mixed_criterion reads an ignored label from and knows as losses of differences.
_CRITERIA: dict[str, Criterion] = {
    "cross_entropy": nn.CrossEntropyLoss(reduction="none"),
    "l1": nn.L1Loss(reduction="none"),
    "mse": nn.MSELoss(reduction="none"),
    "smooth_l1": nn.SmoothL1Loss(reduction="none"),
}


@dataclass(frozen=True)
class PairTarget:
    """Two labels for each sample, of any kind, with the weight of the first.

    Labels that no tensor holds, such as the boxes of an image and their classes, of different numbers from image to
    image, stay what they are: nothing is averaged, joined, or padded.

    Args:
        a: the samples' own labels, one each.
        b: their partners' labels.
        lam: weight of ``a``, shape (B,).
    """

    a: Sequence[Any]
    b: Sequence[Any]
    lam: Float[Tensor, " batch"]

    def loss(self, criterion: Criterion, output: Any) -> Float[Tensor, ""]:
        """Mean over samples of ``lam * criterion(output, a) + (1 - lam) * criterion(output, b)``.

        Args:
            criterion: a function of the output and a list of labels that returns one loss per sample, shape (B, ...).
            output: what the model returned.

        Raises:
            ConfigError: if the criterion reduces.
        """
        return mixed_criterion(criterion, output, self.a, self.b, self.lam)


@register(
    source="Vu et al.: LossMix: Simplify and Generalize Mixup for Object Detection and Beyond (AAAI 2024)",
    target="both labels whole, two losses: lam l(f(x'), y_i) + (1 - lam) l(f(x'), y_j)",
)
class LossMix(Recipe):
    """``x' = lam x_i + (1 - lam) x_j``, ``loss = lam l(f(x'), y_i) + (1 - lam) l(f(x'), y_j)`` with any loss l.

    Losses are mixed instead of labels. For cross-entropy that is the same; for the mean squared error the gradients are
    the same; for others, such as the absolute error, nothing is. Labels need not be numbers: a list with one label per
    sample does, such as the boxes and classes of an image, in any number.

    Args:
        alpha: concentration of the Beta law, >= 0; ``alpha=0`` mixes nothing.
        criterion: ``"l1"``, ``"smooth_l1"``, ``"mse"``, ``"cross_entropy"``, or a function of output and labels that
            returns one loss per sample, shape (B, ...).
        per: ``"batch"`` draws one lam for the batch, ``"sample"`` one for each sample.

    Raises:
        ConfigError: if alpha is negative, or the criterion unknown.

    Example:
        >>> images, boxes = torch.rand(2, 3, 8, 8), [[(0, 0, 4, 4)], []]
        >>> mixed, target = LossMix()(images, boxes)
        >>> count_error = lambda output, y: (output - torch.tensor([float(len(b)) for b in y])).abs()
        >>> target.loss(count_error, torch.tensor([1.0, 0.0])).shape
        torch.Size([])
    """

    def __init__(self, alpha: float = 1.0, criterion: str | Criterion = "l1", per: Per = "batch") -> None:
        super().__init__(RandomPairing(), BetaCoefficient(alpha, per))
        if isinstance(criterion, str) and criterion not in _CRITERIA:
            raise ConfigError("criterion", criterion, did_you_mean(criterion, _CRITERIA))
        if not isinstance(criterion, str) and not callable(criterion):
            raise ConfigError("criterion", criterion, f"use one of {', '.join(_CRITERIA)}, or a function")
        self.criterion = _CRITERIA[criterion] if isinstance(criterion, str) else criterion

    def batch_of(self, x: Any, y: Any) -> tuple[int, torch.device]:
        """Return the number of samples and their device; labels may also be a list of B labels of any kind."""
        if isinstance(y, list | tuple):
            samples = first_tensor(x)
            y = torch.empty(len(y), device=None if samples is None else samples.device)  # as many, on their device
        return super().batch_of(x, y)

    def target(self, plan: MixPlan, y: Any) -> Any:
        """Return both labels of each pair with their weight.

        Args:
            plan: the plan.
            y: a tensor of shape (B, ...), which gives a :class:`MixedTarget`, or a list of B labels of any kind, which
                gives a :class:`PairTarget` and waits for the device.
        """
        if not isinstance(y, list | tuple):
            return super().target(plan, y)
        if len(y) != plan.batch_size:
            raise DataError(f"y has {len(y)} labels, but the plan is for a batch of {plan.batch_size} samples")
        return PairTarget(list(y), [y[j] for j in plan.partner.tolist()], plan.lam)

    def unmixed(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return the batch and its own labels, with lam = 1."""
        if not isinstance(y, list | tuple):
            return super().unmixed(x, y)
        batch_size, device = self.batch_of(x, y)
        return self.space.unmixed(x), PairTarget(list(y), list(y), torch.ones(batch_size, device=device))

    def mixed_loss(
        self, model: Callable[[Any], Any], x_mixed: Any, y: Any, plan: MixPlan, loss: Objective | None = None
    ) -> Tensor:
        """Return ``target(plan, y).loss(criterion, model(x_mixed))``; the criterion is the method's own."""
        return self._loss_of(self.target(plan, y), model(x_mixed), loss)

    def _loss_of(self, target: Any, output: Any, loss: Objective | None) -> Tensor:
        minimised: Tensor = target.loss(self.criterion, output)
        return minimised
