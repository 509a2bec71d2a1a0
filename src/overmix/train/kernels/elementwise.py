"""Element by element: the backward pass of ReLU, and the step of gradient descent in one pass over memory."""

from __future__ import annotations

import torch
from torch import Tensor

from overmix.train.kernels.kernel import Kernel


def _plain_relu_backward(gradient: Tensor, activation: Tensor) -> Tensor:
    return torch.where(activation > 0, gradient, 0.0)


def _fast_relu_backward(gradient: Tensor, activation: Tensor) -> Tensor:
    out: Tensor = torch.ops.aten.threshold_backward(gradient, activation, 0)
    return out


relu_backward = Kernel(
    _plain_relu_backward,
    _fast_relu_backward,
    lambda: ((torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 1.0, 2.0])), {}),
)
"""``relu_backward(gradient, activation)``: the gradient, 0 where ReLU gave 0."""


def _plain_momentum_step(
    p: Tensor, gradient: Tensor, velocity: Tensor, *, lr: float, momentum: float, weight_decay: float
) -> None:
    velocity.mul_(momentum).add_(gradient.add(p, alpha=weight_decay))
    p.add_(velocity, alpha=-lr)


def _fast_momentum_step(
    p: Tensor, gradient: Tensor, velocity: Tensor, *, lr: float, momentum: float, weight_decay: float
) -> None:
    torch._fused_sgd_(
        [p],
        [gradient],
        [velocity],
        weight_decay=weight_decay,
        momentum=momentum,
        lr=lr,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )


momentum_step = Kernel(
    _plain_momentum_step,
    _fast_momentum_step,
    lambda: (
        (torch.ones(3), torch.tensor([1.0, 2.0, 3.0]), torch.ones(3)),
        {"lr": 0.5, "momentum": 0.5, "weight_decay": 1.0},
    ),
)
"""``momentum_step(p, g, v, *, lr, momentum, weight_decay)``: ``v <- momentum v + g + weight_decay p; p -= lr v``."""
