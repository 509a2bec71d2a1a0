"""The loss around a solution: slices along filter-normalised random directions.

A network with ReLU or BatchNorm computes the same function when a filter is scaled up and the next layer down, so the
length of a step in weight space means nothing by itself. Filter normalisation measures it in the network's own units:
each filter of a random direction gets the norm of that filter of the weights. Slices of two checkpoints of a network,
early and late in training, are then comparable: the narrower valley is the sharper minimum, along these directions.

The method follows Li, Xu, Taylor, Studer, Goldstein, *Visualizing the Loss Landscape of Neural Nets* (NeurIPS 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from overmix._typing import Float, Shaped
from overmix.errors import ConfigError, DataError
from overmix.explain.evaluation import SampleLoss, data_chunks, evaluating, sample_losses

Direction: TypeAlias = Mapping[str, Tensor]
Method: TypeAlias = Literal["auto", "vmap", "loop"]


@dataclass(frozen=True)
class Landscape:
    """Mean loss on a grid of steps.

    Attributes:
        steps: for each direction, the steps along it; at 0 stands the network itself.
        loss: mean loss, one axis per direction. Far from the solution it may be infinite or NaN.
    """

    steps: tuple[Float[np.ndarray, " _"], ...]
    loss: Float[np.ndarray, "*grid"]


def filter_normalized_direction(
    parameters: Mapping[str, Tensor], *, generator: torch.Generator | None = None
) -> dict[str, Tensor]:
    """Draw a random direction whose filters have the norms of the network's own.

    ``d_f <- d_f ||theta_f|| / ||d_f||`` for every filter f: an output channel of a convolution, a row of a linear
    layer; the slices of a parameter along its first axis. Parameters with one axis, biases and the scales and shifts of
    BatchNorm, stay fixed (direction 0), as with the option ``biasbn`` of the authors' released code.

    Args:
        parameters: parameters by name, ``dict(model.named_parameters())``.
        generator: source of randomness, on the CPU.

    Example:
        >>> direction = filter_normalized_direction(dict(nn.Linear(3, 2).named_parameters()))
        >>> direction["bias"].tolist()
        [0.0, 0.0]

    References:
        Li, Xu, Taylor, Studer, Goldstein, *Visualizing the Loss Landscape of Neural Nets*, 2018.
    """
    direction = {}
    for name, value in parameters.items():
        if value.ndim <= 1 or not value.is_floating_point():
            direction[name] = torch.zeros_like(value, requires_grad=False)
            continue
        drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        per_filter = tuple(range(1, value.ndim))
        norm = torch.linalg.vector_norm(value.detach().cpu().double(), dim=per_filter, keepdim=True)
        scaled = drawn * norm / torch.linalg.vector_norm(drawn, dim=per_filter, keepdim=True)
        direction[name] = scaled.to(value)
    return direction


def loss_landscape(
    model: nn.Module,
    x: Shaped[Tensor, "samples ..."],
    targets: tuple[Tensor, ...],
    loss: SampleLoss,
    directions: Sequence[Direction],
    steps: Sequence[Float[np.ndarray, " _"]],
    *,
    parameters: Mapping[str, Tensor] | None = None,
    method: Method = "auto",
    points_at_once: int = 16,
    chunk_size: int = 1024,
) -> Landscape:
    """Evaluate ``L(theta + a d_1)`` or ``L(theta + a d_1 + b d_2)`` on a grid.

    The model runs in evaluation mode and is left as it is: BatchNorm keeps the running statistics of the solution, also
    at the other points of the slice.

    Args:
        model: maps inputs (batch, ...) to outputs.
        x: all inputs.
        targets: tensors with one entry per sample, handed to the loss.
        loss: ``loss(output, *targets)`` with one number per sample.
        directions: one or two directions, see :func:`filter_normalized_direction`. Parameters that a direction does not
            name stay fixed.
        steps: for each direction, the steps along it.
        parameters: the centre, for instance a checkpoint; by default the model's own parameters.
        method: ``"vmap"`` evaluates many points in one forward pass, and falls back to ``"loop"``, one point after the
            other, if the model cannot be vectorised. ``"auto"`` loops on a CPU, where the weights of many points do not
            fit the cache and a loop is usually the faster, and vectorises elsewhere.
        points_at_once: grid points per vectorised pass, each with its own copy of the weights.
        chunk_size: samples per forward pass.

    Raises:
        DataError: if shapes do not fit, or the loss reduces over samples.
        ConfigError: if a setting cannot work.

    Example:
        >>> model, x = nn.Linear(1, 1, bias=False), torch.ones(1, 1)
        >>> _ = nn.init.constant_(model.weight, 1.0)
        >>> def square(output):
        ...     return output[:, 0] ** 2
        >>> direction = {"weight": torch.ones(1, 1)}
        >>> loss_landscape(model, x, (), square, [direction], [np.array([-1.0, 0.0, 1.0])]).loss.tolist()
        [0.0, 1.0, 4.0]
    """
    if len(directions) not in (1, 2) or len(directions) != len(steps):
        raise ConfigError("directions", len(directions), "give one or two, and steps along each")
    if points_at_once < 1:
        raise ConfigError("points_at_once", points_at_once, "use at least 1")
    if method not in ("auto", "vmap", "loop"):
        raise ConfigError("method", method, "use auto, vmap or loop")
    centre = {name: value.detach() for name, value in (parameters or dict(model.named_parameters())).items()}
    for direction in directions:
        for name, value in direction.items():
            if name not in centre or value.shape != centre[name].shape:
                raise DataError(f"direction: {name} of shape {tuple(value.shape)} is no parameter of the model")
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*steps, indexing="ij")], axis=1)
    points = torch.as_tensor(grid, dtype=next(iter(centre.values())).dtype, device=x.device)
    total = np.zeros(len(grid))
    with evaluating(model), torch.no_grad():
        for inputs, labels in data_chunks(x, targets, chunk_size):

            def summed(point: Tensor, inputs: Tensor = inputs, labels: tuple[Tensor, ...] = labels) -> Tensor:
                return sample_losses(model, _moved(centre, directions, point), inputs, labels, loss).sum()

            total += _evaluate(summed, points, method, points_at_once).cpu().double().numpy()
    return Landscape(tuple(steps), (total / len(x)).reshape([len(axis) for axis in steps]))


def _moved(centre: Direction, directions: Sequence[Direction], point: Tensor) -> dict[str, Tensor]:
    moved = dict(centre)
    for step, direction in zip(point, directions, strict=True):
        for name, value in direction.items():
            moved[name] = moved[name] + step * value
    return moved


def _evaluate(summed: Callable[[Tensor], Tensor], points: Tensor, method: Method, points_at_once: int) -> Tensor:
    if method == "vmap" or (method == "auto" and points.device.type != "cpu"):
        with suppress(RuntimeError):  # control flow that depends on data, or an operator without a batching rule
            vectorised: Tensor = torch.func.vmap(summed, chunk_size=points_at_once)(points)
            return vectorised
    return torch.stack([summed(point) for point in points])
