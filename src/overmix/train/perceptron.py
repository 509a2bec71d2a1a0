"""A stack of multi-layer perceptrons as batched matrix products, without the detours of a general vmap.

Under ``torch.func.vmap`` a linear layer becomes a product, a scaling and an addition, each a pass over memory, and
every operator goes through Python. Perceptrons are what long studies are mostly made of, and small enough for that to
matter. The gradient is that of the general path, written out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from overmix._typing import Float


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
    output: Tensor = _Perceptron.apply(x.flatten(2), *parameters)
    return output


class _Perceptron(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        weights, biases = parameters[::2], parameters[1::2]
        inputs = [x]
        for weight, bias in zip(weights, biases, strict=True):
            inputs.append(torch.baddbmm(bias.unsqueeze(1), inputs[-1], weight.mT))
            if len(inputs) <= len(weights):
                inputs[-1].relu_()
        output = inputs.pop()
        ctx.save_for_backward(*inputs, *weights)
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        inputs, weights = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        gradients: list[Tensor] = []
        for layer in reversed(range(len(weights))):
            gradients += [grad.sum(1), torch.bmm(grad.mT, inputs[layer])]
            if layer == 0:
                break
            # Where ReLU gave 0 nothing flows back.
            grad = torch.ops.aten.threshold_backward(torch.bmm(grad, weights[layer]), inputs[layer], 0)
        x_grad = torch.bmm(grad, weights[0]) if ctx.needs_input_grad[0] else None
        return (x_grad, *reversed(gradients))
