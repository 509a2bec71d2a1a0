"""A stack of multi-layer perceptrons as batched matrix products, without the detours of a general vmap.

Under ``torch.func.vmap`` a linear layer becomes a product, a scaling and an addition, each a pass over memory, and
every operator goes through Python. Perceptrons are what long studies are mostly made of, and small enough for that to
matter.

A training step goes one further: the product that makes a weight's gradient adds it to the momentum at once, so that no
gradient is ever written to memory or read from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from overmix._typing import Float
from overmix.train.kernels import momentum_step, products, relu_backward
from overmix.train.optimizer import SGD, per_replica


def perceptron_layers(model: nn.Module) -> list[str] | None:
    """Return the parameters' names, layer by layer weight then bias, if the model is nothing but a perceptron.

    That is an ``nn.Sequential`` of ``Linear`` layers with biases and a ``ReLU`` between each two, perhaps after a
    ``Flatten``, without hooks. ``None`` for any other model.

    Example:
        >>> perceptron_layers(nn.Sequential(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
        ['1.weight', '1.bias', '3.weight', '3.bias']
    """
    if type(model) is not nn.Sequential or any(_has_hooks(module) for module in model.modules()):
        return None
    layers = list(model.named_children())
    if layers and type(layers[0][1]) is nn.Flatten and (layers[0][1].start_dim, layers[0][1].end_dim) == (1, -1):
        layers = layers[1:]
    linear, between = layers[::2], layers[1::2]
    if len(layers) % 2 == 0 or any(type(module) is not nn.ReLU for _, module in between):
        return None
    if any(type(module) is not nn.Linear or module.bias is None for _, module in linear):
        return None
    # A layer that stands in two places has one set of parameters, which this does not handle.
    if len({id(module) for _, module in linear}) != len(linear):
        return None
    return [f"{name}.{part}" for name, _ in linear for part in ("weight", "bias")]


def _has_hooks(module: nn.Module) -> bool:
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks)


def stacked_perceptron(
    x: Float[Tensor, "replicas batch *sample"], parameters: list[Tensor]
) -> Float[Tensor, "replicas batch output"]:
    """Return ``W_L relu(... relu(W_1 x + b_1) ...) + b_L`` for every replica.

    Args:
        x: one batch per replica, flattened to (R, B, D).
        parameters: weight of shape (R, out, in) and bias of shape (R, out), layer by layer.
    """
    x = x.flatten(2)
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        x = _linear(x, weight, bias, relu=weight is not parameters[-2])
    return x


@torch.no_grad()
def perceptron_step(
    x: Float[Tensor, "replicas batch *sample"],
    with_gradient: Callable[[Tensor], tuple[Tensor, Tensor]],
    parameters: Sequence[Tensor],
    velocities: Sequence[Tensor],
    optimizer: SGD,
    lr: Float[Tensor, " replicas"],
    weight_decay: Float[Tensor, " replicas"] | None,
) -> Float[Tensor, " replicas"]:
    """Do one step of ``v <- momentum v + g + weight_decay w``, ``w <- w - lr v``, in place.

    Args:
        x: one batch per replica, shape (R, B, ...).
        with_gradient: maps logits (R, B, C) to each replica's loss, shape (R,), and its gradient, shape (R, B, C).
        parameters: as for :func:`perceptron`.
        velocities: of the same shapes.
        optimizer: without Nesterov, which needs the gradient itself.
        lr: of each replica.
        weight_decay: of each replica, or ``None`` if all are 0.

    Returns:
        The loss of each replica before the step.
    """
    layers = [
        _Layer(*tensors)
        for tensors in zip(parameters[::2], parameters[1::2], velocities[::2], velocities[1::2], strict=True)
    ]
    inputs = [x.flatten(2)]
    for layer in layers:
        inputs.append(layer.forward(inputs[-1], relu=layer is not layers[-1]))
    loss, grad = with_gradient(inputs.pop())
    for layer in reversed(layers):
        below = layer.step(grad, inputs[-1], optimizer.momentum, lr, weight_decay, lowest=layer is layers[0])
        # Where ReLU gave 0 nothing flows back.
        activation = inputs.pop()
        if layer is not layers[0]:
            grad = relu_backward(below, activation)
    return loss


class _Layer(NamedTuple):
    """A layer of all replicas, with what training it takes."""

    weight: Float[Tensor, "replicas output input"]
    bias: Float[Tensor, "replicas output"]
    velocity: Float[Tensor, "replicas output input"]
    bias_velocity: Float[Tensor, "replicas output"]

    def forward(self, x: Tensor, *, relu: bool) -> Tensor:
        return _linear(x, self.weight, self.bias, relu=relu)

    def step(
        self, grad: Tensor, x: Tensor, momentum: float, lr: Tensor, weight_decay: Tensor | None, *, lowest: bool
    ) -> Tensor:
        """Do the layer's part of the step, and return the gradient of its input, unless there is no layer below."""
        self.bias_velocity.mul_(momentum).add_(grad.sum(1))
        _descend(self.bias, self.bias_velocity, lr, weight_decay)
        if momentum and products.gains(self.weight):
            return self._one_by_one(grad, x, momentum, lr, weight_decay, lowest=lowest)
        below = grad if lowest else torch.bmm(grad, self.weight)
        self.velocity.baddbmm_(grad.mT, x, beta=momentum)
        _descend(self.weight, self.velocity, lr, weight_decay)
        return below

    def _one_by_one(
        self, grad: Tensor, x: Tensor, momentum: float, lr: Tensor, weight_decay: Tensor | None, *, lowest: bool
    ) -> Tensor:
        """Do the same for one replica after the other, all while its weights are in the processor's cache."""
        rates = lr.tolist()
        decays = [0.0] * len(rates) if weight_decay is None else weight_decay.tolist()
        each = zip(grad.unbind(), x.unbind(), self.weight.unbind(), self.velocity.unbind(), strict=True)
        below = []
        for (g, inputs, w, v), rate, decay in zip(each, rates, decays, strict=True):
            if not lowest:
                below.append(products.product(g, w.T))
            gradient = products.product(g.T, inputs.T)
            momentum_step(w, gradient, v, lr=rate, momentum=momentum, weight_decay=decay)
        return grad if lowest else torch.stack(below)


def _descend(p: Tensor, velocity: Tensor, lr: Tensor, weight_decay: Tensor | None) -> None:
    if weight_decay is not None:
        velocity.addcmul_(p, per_replica(weight_decay, p))
    p.addcmul_(velocity, per_replica(lr, p), value=-1)


def _linear(x: Tensor, weight: Tensor, bias: Tensor, *, relu: bool) -> Tensor:
    # Fast products have no gradient of their own.
    if products.gains(weight) and not torch.is_grad_enabled():
        each = zip(x.unbind(), weight.unbind(), bias.unbind(), strict=True)
        return torch.stack([products.linear(*layer, relu=relu) for layer in each])
    out = torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
    return out.relu_() if relu else out
