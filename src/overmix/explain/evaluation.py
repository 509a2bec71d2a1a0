"""Evaluating a model without leaving a trace in it: modes, chunks, per-sample losses.

Everything here runs in evaluation mode. BatchNorm then uses its running statistics and dropout is off, so that a sum
over chunks is the sum over the whole data set; in training mode it would depend on how the data are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from torch import Tensor, nn
from torch.func import functional_call

from overmix._typing import Float, Shaped
from overmix.errors import ConfigError, DataError

SampleLoss: TypeAlias = Callable[..., Tensor]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode and give each of its modules its own mode back.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
        >>> with evaluating(model):
        ...     model[1].training
        False
        >>> model[1].training
        True
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def data_chunks(
    x: Shaped[Tensor, "samples ..."], targets: tuple[Tensor, ...], chunk_size: int
) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
    """Cut inputs and the targets that belong to them into chunks.

    Raises:
        DataError: without samples, or if a target has another length.
        ConfigError: if ``chunk_size`` cannot work.
    """
    if chunk_size < 1:
        raise ConfigError("chunk_size", chunk_size, "use at least 1")
    if len(x) == 0 or any(len(target) != len(x) for target in targets):
        raise DataError(f"{len(x)} inputs, targets of length {[len(t) for t in targets]}: give one of each per sample")
    for start in range(0, len(x), chunk_size):
        rows = slice(start, start + chunk_size)
        yield x[rows], tuple(target[rows] for target in targets)


def sample_losses(
    model: nn.Module,
    parameters: Mapping[str, Tensor],
    x: Shaped[Tensor, "samples ..."],
    targets: tuple[Tensor, ...],
    loss: SampleLoss,
) -> Float[Tensor, " samples"]:
    """Return the loss of each sample for given parameters; buffers are the model's own.

    Raises:
        DataError: if the loss is not one number per sample.
    """
    losses: Tensor = loss(functional_call(model, dict(parameters), (x,)), *targets)
    if losses.shape != (len(x),):
        raise DataError(
            f"the loss returned shape {tuple(losses.shape)} for {len(x)} samples: return one number per sample "
            "(reduction='none')"
        )
    return losses
