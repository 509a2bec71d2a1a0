"""Multi-layer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from overmix.errors import ConfigError


def mlp(
    *,
    sample_shape: tuple[int, ...],
    num_classes: int,
    hidden: Sequence[int] = (256, 256),
    dropout: float = 0.0,
    batch_norm: bool = False,
) -> nn.Module:
    """Return a perceptron with ReLU that flattens its input; PyTorch's default initialisation.

    Args:
        sample_shape: shape of one sample.
        num_classes: C.
        hidden: widths of the hidden layers.
        dropout: probability of dropping a hidden unit.
        batch_norm: normalise each hidden layer before its ReLU.

    Raises:
        ConfigError: if a width or the probability cannot work.
    """
    if not all(isinstance(width, int) and width >= 1 for width in hidden):
        raise ConfigError("model.hidden", list(hidden), "use a list of widths >= 1, such as [256, 256]")
    if not 0 <= dropout < 1:
        raise ConfigError("model.dropout", dropout, "use a probability in [0, 1)")
    layers: list[nn.Module] = [nn.Flatten()]
    width = math.prod(sample_shape)
    for units in hidden:
        layers.append(nn.Linear(width, units))
        if batch_norm:
            layers.append(nn.BatchNorm1d(units))
        layers.append(nn.ReLU())
        if dropout:
            layers.append(nn.Dropout(dropout))
        width = units
    return nn.Sequential(*layers, nn.Linear(width, num_classes))
