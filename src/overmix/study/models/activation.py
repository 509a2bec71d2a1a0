"""Activations that a model's options can name."""

from __future__ import annotations

from torch import nn

from overmix.errors import ConfigError, did_you_mean

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


def make_activation(name: str) -> nn.Module:
    """Return the activation of that name.

    Raises:
        ConfigError: for an unknown name, with the nearest known one.

    Example:
        >>> make_activation("relu")
        ReLU()
    """
    if name not in _ACTIVATIONS:
        raise ConfigError("model.activation", name, did_you_mean(name, _ACTIVATIONS))
    return _ACTIVATIONS[name]()
