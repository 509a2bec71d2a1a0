"""What an optimizer of a stack is, and stochastic gradient descent for a stack of replicas at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError
from overmix.train.kernels import foreach


class Optimizer(Protocol):
    """Steps all replicas of a stack; what it remembers are tensors, so that it is saved and gone back to like weights.

    Learning rate and weight decay are handed to each step: they belong to the replica.
    """

    def init(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Return what it remembers, at the start: one or more tensors per parameter, kind by kind."""
        ...

    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: list[Tensor],
        moments: list[Tensor],
        lr: Float[Tensor, " replicas"],
        weight_decay: Float[Tensor, " replicas"] | None,
        /,
    ) -> None:
        """Update parameters, each of shape (R, ...), and moments in place."""
        ...


@dataclass(frozen=True)
class SGD:
    """``v <- momentum v + g + weight_decay w``, ``w <- w - lr v``; with Nesterov ``w <- w - lr (g' + momentum v)``.

    The same arithmetic as ``torch.optim.SGD`` without dampening. Learning rate and weight decay belong to the replica,
    momentum to the stack.

    Args:
        momentum: in [0, 1).
        nesterov: look ahead along the velocity (Sutskever et al., "On the importance of initialization and momentum in
            deep learning", 2013).

    Raises:
        ConfigError: if the momentum is outside of [0, 1), or Nesterov comes without momentum.
    """

    momentum: float = 0.9
    nesterov: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise ConfigError("optimizer.momentum", self.momentum, "use a number in [0, 1)")
        if self.nesterov and self.momentum == 0:
            raise ConfigError("optimizer.nesterov", True, "give a momentum above 0")

    def init(self, parameters: Sequence[Tensor]) -> list[Tensor]:
        """Return the velocities, all 0."""
        return [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: list[Tensor],
        velocities: list[Tensor],
        lr: Float[Tensor, " replicas"],
        weight_decay: Float[Tensor, " replicas"] | None,
    ) -> None:
        """Update parameters and velocities in place.

        Args:
            parameters: each of shape (R, ...).
            gradients: of the same shapes; used as scratch space.
            velocities: of the same shapes.
            lr: learning rate of each replica, shape (R,).
            weight_decay: of each replica, shape (R,), or ``None`` if all are 0.
        """
        if weight_decay is not None:
            for g, p in zip(gradients, parameters, strict=True):
                g.addcmul_(p, per_replica(weight_decay, p))
        updates = gradients
        if self.momentum:
            foreach.scale(velocities, self.momentum)
            foreach.add(velocities, gradients)
            updates = velocities
            if self.nesterov:
                foreach.add(gradients, velocities, alpha=self.momentum)
                updates = gradients
        for p, u in zip(parameters, updates, strict=True):
            p.addcmul_(u, per_replica(lr, p), value=-1)


def per_replica(value: Tensor, parameter: Tensor) -> Tensor:
    """Return a tensor of shape (R,) with trailing ones, so that it broadcasts over a parameter of shape (R, ...)."""
    return value.view(-1, *[1] * (parameter.dim() - 1))
