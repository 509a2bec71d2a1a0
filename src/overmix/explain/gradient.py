"""The norm of the full gradient: has training arrived anywhere?

``|| (1/n) sum_i grad l_i(theta) ||_2`` over all n samples at once, not the mean of minibatch norms. Once a network fits
every sample it is about zero. On a fixed sample of mixtures it need not vanish: there are more of them than a network
can fit. Which definition the literature plots is not known to us; this one is our choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from overmix._typing import Shaped
from overmix.explain.evaluation import SampleLoss, data_chunks, evaluating, sample_losses
from overmix.mix.precision import in_widest


def full_gradient(
    model: nn.Module,
    x: Shaped[Tensor, "samples ..."],
    targets: tuple[Tensor, ...],
    loss: SampleLoss,
    *,
    parameters: Mapping[str, Tensor] | None = None,
    chunk_size: int = 1024,
) -> dict[str, Tensor]:
    """Return the gradient of the mean loss over all samples, by name of the parameter.

    The model runs in evaluation mode; its ``.grad`` and its modes are left as they are.

    Args:
        model: maps inputs (batch, ...) to outputs.
        x: all inputs, clean or mixed.
        targets: tensors with one entry per sample, handed to the loss: ``(y,)``, or ``(a, b, lam)`` for mixtures.
        loss: ``loss(output, *targets)`` with one number per sample.
        parameters: values in the place of the model's own, for instance a checkpoint's; by default the model's
            trainable parameters.
        chunk_size: samples per backward pass. The result depends on it by rounding only.

    Raises:
        DataError: if shapes do not fit, or the loss reduces over samples.
        ConfigError: if ``chunk_size`` cannot work.
    """
    source = parameters or {name: value for name, value in model.named_parameters() if value.requires_grad}
    leaves = {name: value.detach().clone().requires_grad_() for name, value in source.items()}
    total = {name: torch.zeros_like(value) for name, value in leaves.items()}
    with evaluating(model), torch.enable_grad():
        for inputs, labels in data_chunks(x, targets, chunk_size):
            summed = sample_losses(model, leaves, inputs, labels, loss).sum()
            gradients = torch.autograd.grad(summed, list(leaves.values()), allow_unused=True)
            for name, gradient in zip(leaves, gradients, strict=True):
                if gradient is not None:  # a parameter that the loss does not reach
                    total[name] += gradient / len(x)
    return total


def gradient_norm(
    model: nn.Module,
    x: Shaped[Tensor, "samples ..."],
    targets: tuple[Tensor, ...],
    loss: SampleLoss,
    *,
    parameters: Mapping[str, Tensor] | None = None,
    chunk_size: int = 1024,
) -> float:
    """Return the Euclidean norm of :func:`full_gradient`, over all parameters together.

    Args:
        model: as for :func:`full_gradient`.
        x: as for :func:`full_gradient`.
        targets: as for :func:`full_gradient`.
        loss: as for :func:`full_gradient`.
        parameters: as for :func:`full_gradient`.
        chunk_size: as for :func:`full_gradient`.

    Raises:
        DataError: as for :func:`full_gradient`.
        ConfigError: as for :func:`full_gradient`.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(model.weight, 2.0)
        >>> x, y = torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 6.0])
        >>> gradient_norm(model, x, (y,), lambda output, y: (output[:, 0] - y) ** 2)
        2.0
    """
    gradient = full_gradient(model, x, targets, loss, parameters=parameters, chunk_size=chunk_size)
    return float(torch.stack([in_widest(value).square().sum() for value in gradient.values()]).sum().sqrt())
