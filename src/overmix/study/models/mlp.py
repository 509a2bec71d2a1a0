"""Multi-layer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from overmix.errors import ConfigError
from overmix.study.models.activation import make_activation


def mlp(
    *,
    sample_shape: tuple[int, ...],
    num_classes: int,
    hidden: Sequence[int] = (256, 256),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_norm: bool = False,
) -> nn.Module:
    """Return a perceptron that flattens its input; the initialisation is PyTorch's default.

    Args:
        sample_shape: shape of one sample.
        num_classes: C.
        hidden: widths of the hidden layers; an empty list gives a linear classifier.
        activation: relu, gelu, silu or tanh.
        dropout: probability of dropping a hidden unit, in [0, 1).
        batch_norm: normalise each hidden layer before its activation.

    Raises:
        ConfigError: if a width, the activation or the probability cannot work.

    Example:
        >>> mlp(sample_shape=(1, 8, 8), num_classes=10, hidden=[32])
        Sequential(
          (0): Flatten(start_dim=1, end_dim=-1)
          (1): Linear(in_features=64, out_features=32, bias=True)
          (2): ReLU()
          (3): Linear(in_features=32, out_features=10, bias=True)
        )
    """
    if not all(type(width) is int and width >= 1 for width in hidden):
        raise ConfigError("model.hidden", list(hidden), "use a list of widths >= 1, such as [256, 256]")
    if not 0 <= dropout < 1:
        raise ConfigError("model.dropout", dropout, "use a probability in [0, 1)")
    layers: list[nn.Module] = [nn.Flatten()]
    features = math.prod(sample_shape)
    for width in hidden:
        layers.append(nn.Linear(features, width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(make_activation(activation))
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        features = width
    return nn.Sequential(*layers, nn.Linear(features, num_classes))
