"""Adam with decoupled weight decay for a stack of replicas at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError
from overmix.train.kernels import foreach
from overmix.train.optimizer import per_replica


@dataclass(frozen=True)
class AdamW:
    """``w <- (1 - lr weight_decay) w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)``.

    With ``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2`` and t the number of steps that a parameter has taken
    part in. The same arithmetic as ``torch.optim.AdamW``, up to rounding. Learning rate and weight decay belong to the
    replica, all else to the stack.

    Args:
        betas: ``(b1, b2)``, each in [0, 1).
        eps: > 0.

    Raises:
        ConfigError: if a setting lies elsewhere.

    Source: I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", 2019.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError("optimizer.betas", list(self.betas), "use two numbers in [0, 1)")
        if not (math.isfinite(self.eps) and self.eps > 0):
            raise ConfigError("optimizer.eps", self.eps, "use a number > 0")

    def init(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Return all m, then all v, then the number of steps of each parameter, all 0."""
        return [
            *(torch.zeros_like(p) for p in parameters),
            *(torch.zeros_like(p) for p in parameters),
            *(torch.zeros((), dtype=torch.int64, device=p.device) for p in parameters),
        ]

    @torch.no_grad()
    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: list[Tensor],
        moments: list[Tensor],
        lr: Float[Tensor, " replicas"],
        weight_decay: Float[Tensor, " replicas"] | None,
    ) -> None:
        """Update parameters and moments in place.

        Args:
            parameters: each of shape (R, ...).
            gradients: of the same shapes; used as scratch space.
            moments: as :meth:`init` returns them.
            lr: learning rate of each replica, shape (R,).
            weight_decay: of each replica, shape (R,), or ``None`` if all are 0.
        """
        n, (beta1, beta2) = len(parameters), self.betas
        means, squares, steps = moments[:n], moments[n : 2 * n], moments[2 * n :]
        foreach.lerp(means, gradients, 1 - beta1)
        foreach.scale(squares, beta2)
        foreach.add_squares(squares, gradients, 1 - beta2)
        for p, scratch, mean, square, step in zip(parameters, gradients, means, squares, steps, strict=True):
            step += 1
            # In double precision, as PyTorch: 1 - b2^t has few digits left in single precision.
            bias1, bias2 = (1 - beta ** step.double() for beta in self.betas)
            if weight_decay is not None:
                p.mul_(per_replica(1 - lr * weight_decay, p))
            torch.sqrt(square, out=scratch).div_(bias2.sqrt()).add_(self.eps)
            torch.div(mean, scratch, out=scratch)
            p.addcmul_(scratch, per_replica(lr / bias1, p), value=-1)
