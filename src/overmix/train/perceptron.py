"""A stack of multi-layer perceptrons as batched matrix products, without the detours of a general vmap.

Under ``torch.func.vmap`` a linear layer becomes a product, a scaling and an addition, each a pass over memory, and
every operator goes through Python. Perceptrons are what long studies are mostly made of, and small enough for that to
matter.

A training step goes one further: the product that makes a weight's gradient adds it to the momentum at once, so that no
gradient is ever written to memory or read from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from overmix._typing import Float
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


def perceptron(
    x: Float[Tensor, "replicas batch *sample"], parameters: list[Tensor]
) -> Float[Tensor, "replicas batch output"]:
    """Return ``W_L relu(... relu(W_1 x + b_1) ...) + b_L`` for every replica.

    Args:
        x: one batch per replica, flattened to (R, B, D).
        parameters: weight of shape (R, out, in) and bias of shape (R, out), layer by layer.
    """
    return _forward(x.flatten(2), parameters[::2], parameters[1::2])[-1]


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
    weights, biases = parameters[::2], parameters[1::2]
    inputs = _forward(x.flatten(2), weights, biases)
    loss, grad = with_gradient(inputs.pop())
    for layer in reversed(range(len(weights))):
        below = _backward(grad, inputs[layer], weights[layer]) if layer else None
        velocity, bias_velocity = velocities[2 * layer], velocities[2 * layer + 1]
        velocity.baddbmm_(grad.mT, inputs[layer], beta=optimizer.momentum)
        bias_velocity.mul_(optimizer.momentum).add_(grad.sum(1))
        for p, v in ((weights[layer], velocity), (biases[layer], bias_velocity)):
            if weight_decay is not None:
                v.addcmul_(p, per_replica(weight_decay, p))
            p.addcmul_(v, per_replica(lr, p), value=-1)
        if below is not None:
            grad = below
    return loss


def _forward(x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> list[Tensor]:
    """Return the input of every layer, and the output last."""
    inputs = [x]
    for weight, bias in zip(weights, biases, strict=True):
        inputs.append(torch.baddbmm(bias.unsqueeze(1), inputs[-1], weight.mT))
        if len(inputs) <= len(weights):
            inputs[-1].relu_()
    return inputs


def _backward(grad: Tensor, activation: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient below a layer and the ReLU in front of it: where ReLU gave 0 nothing flows back."""
    below: Tensor = torch.ops.aten.threshold_backward(torch.bmm(grad, weight), activation, 0)
    return below
