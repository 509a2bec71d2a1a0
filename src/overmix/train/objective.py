"""What the engine minimises, and its gradient with respect to the model's output, written out.

For a small model the bookkeeping of automatic differentiation around a loss of a few numbers costs more than the loss.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from overmix._typing import Float, Int
from overmix.errors import ConfigError, did_you_mean
from overmix.mix import label_entropy, mixed_cross_entropy


class Objective(Protocol):
    """A loss of mixed classes: one value per sample, and the gradient of the batch's mean."""

    def losses(self, logits: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return the loss of each sample, shape (..., B), for logits of shape (..., B, C); differentiable."""
        ...

    def with_gradient(self, logits: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean loss over the batch, shape (...,), and its gradient, shape (..., B, C)."""
        ...

    def floors(self, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        """Return what no model's loss of each sample is below, shape (..., B)."""
        ...


class CrossEntropy:
    """``-lam log p[a] - (1 - lam) log p[b]`` with ``p = softmax(logits)``; its gradient is ``p`` minus the target.

    Example:
        >>> loss, gradient = CrossEntropy().with_gradient(
        ...     torch.zeros(1, 2), torch.tensor([0]), torch.tensor([1]), torch.tensor([0.75])
        ... )
        >>> gradient
        tensor([[-0.2500,  0.2500]])
    """

    def losses(
        self,
        logits: Float[Tensor, "*stack batch classes"],
        a: Int[Tensor, "*stack batch"],
        b: Int[Tensor, "*stack batch"],
        lam: Float[Tensor, "*stack batch"],
    ) -> Float[Tensor, "*stack batch"]:
        """Return the loss of each sample."""
        return mixed_cross_entropy(logits, a, b, lam)

    @torch.no_grad()
    def with_gradient(
        self,
        logits: Float[Tensor, "*stack batch classes"],
        a: Int[Tensor, "*stack batch"],
        b: Int[Tensor, "*stack batch"],
        lam: Float[Tensor, "*stack batch"],
    ) -> tuple[Float[Tensor, "*stack"], Float[Tensor, "*stack batch classes"]]:
        """Return the mean loss and its gradient."""
        own, partner, lam = a.unsqueeze(-1), b.unsqueeze(-1), lam.unsqueeze(-1)
        log_p = F.log_softmax(logits, dim=-1)
        loss = torch.lerp(log_p.gather(-1, partner), log_p.gather(-1, own), lam).mean(dim=(-2, -1)).neg_()
        gradient = log_p.exp_().scatter_add_(-1, own, -lam).scatter_add_(-1, partner, lam - 1)
        return loss, gradient.div_(logits.shape[-2])

    def floors(
        self, a: Int[Tensor, "*stack batch"], b: Int[Tensor, "*stack batch"], lam: Float[Tensor, "*stack batch"]
    ) -> Float[Tensor, "*stack batch"]:
        """Return the entropy of each mixed label."""
        return label_entropy(a, b, lam)


class SquaredError:
    """``mean_c (logits[c] - target[c])^2`` against the soft label ``lam onehot(a) + (1 - lam) onehot(b)``.

    Example:
        >>> SquaredError().losses(
        ...     torch.zeros(1, 2), torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5])
        ... )
        tensor([0.2500])
    """

    def losses(
        self,
        logits: Float[Tensor, "*stack batch classes"],
        a: Int[Tensor, "*stack batch"],
        b: Int[Tensor, "*stack batch"],
        lam: Float[Tensor, "*stack batch"],
    ) -> Float[Tensor, "*stack batch"]:
        """Return the loss of each sample."""
        return self._residual(logits, a, b, lam).square().mean(dim=-1)

    @torch.no_grad()
    def with_gradient(
        self,
        logits: Float[Tensor, "*stack batch classes"],
        a: Int[Tensor, "*stack batch"],
        b: Int[Tensor, "*stack batch"],
        lam: Float[Tensor, "*stack batch"],
    ) -> tuple[Float[Tensor, "*stack"], Float[Tensor, "*stack batch classes"]]:
        """Return the mean loss and its gradient."""
        residual = self._residual(logits, a, b, lam)
        batch, classes = logits.shape[-2:]
        return residual.square().mean(dim=(-2, -1)), residual.mul_(2 / (batch * classes))

    def floors(
        self, a: Int[Tensor, "*stack batch"], b: Int[Tensor, "*stack batch"], lam: Float[Tensor, "*stack batch"]
    ) -> Float[Tensor, "*stack batch"]:
        """Return 0: each soft label alone can be met exactly."""
        return torch.zeros_like(lam)

    @staticmethod
    def _residual(logits: Tensor, a: Tensor, b: Tensor, lam: Tensor) -> Tensor:
        target = torch.zeros_like(logits, requires_grad=False)
        target.scatter_add_(-1, a.unsqueeze(-1), lam.to(logits.dtype).unsqueeze(-1))
        target.scatter_add_(-1, b.unsqueeze(-1), 1 - lam.to(logits.dtype).unsqueeze(-1))
        return logits - target


_OBJECTIVES: dict[str, type[CrossEntropy] | type[SquaredError]] = {
    "cross_entropy": CrossEntropy,
    "squared_error": SquaredError,
}


def make_objective(name: str) -> Objective:
    """Return the objective that a study file names: ``cross_entropy`` or ``squared_error``.

    Raises:
        ConfigError: for an unknown name, with the nearest known one.

    Example:
        >>> type(make_objective("squared_error")).__name__
        'SquaredError'
    """
    if name not in _OBJECTIVES:
        raise ConfigError("train.objective", name, did_you_mean(name, list(_OBJECTIVES)))
    return _OBJECTIVES[name]()
