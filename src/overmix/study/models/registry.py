"""The models that a study can name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from overmix.errors import ConfigError, did_you_mean
from overmix.study.models.convnet import convnet
from overmix.study.models.import_path import call_factory
from overmix.study.models.mlp import mlp
from overmix.study.models.resnet import resnet8, resnet18, resnet34
from overmix.study.models.vgg import vgg16
from overmix.study.options import check_option_values

_MODELS: dict[str, Callable[..., nn.Module]] = {
    "convnet": convnet,
    "mlp": mlp,
    "resnet8": resnet8,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "vgg16": vgg16,
}
_GIVEN = ("sample_shape", "num_classes")


def model_names() -> list[str]:
    """Return the names of the models, sorted."""
    return sorted(_MODELS)


def model_options(name: str) -> dict[str, Any]:
    """Return the options that a registered model takes, with their defaults.

    Raises:
        ConfigError: for an unknown name.

    Example:
        >>> model_options("convnet")
        {'width': 32, 'batch_norm': False}
    """
    check_model_name(name, allow_code=False)
    parameters = inspect.signature(_MODELS[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in _GIVEN}


def check_model_name(name: str, *, allow_code: bool) -> None:
    """Refuse a name that is neither registered nor an import path that may be used.

    Raises:
        ConfigError: for an unknown name, or an import path without permission.
    """
    if ":" in name:
        if not allow_code:
            raise ConfigError("model.name", name, "an import path runs that module's code: allow it with --allow-code")
    elif name not in _MODELS:
        raise ConfigError("model.name", name, f"{did_you_mean(name, _MODELS)}, or module:factory")


def build_model(
    name: str, *, sample_shape: tuple[int, ...], num_classes: int, allow_code: bool = False, **options: Any
) -> nn.Module:
    """Return a freshly initialised model that maps (B, *sample_shape) to logits (B, num_classes).

    Initial weights are drawn from PyTorch's default generator.

    Args:
        name: one of :func:`model_names`, or ``module:factory``; the factory is called with ``sample_shape``,
            ``num_classes`` and the options as keywords.
        sample_shape: shape of one sample.
        num_classes: C.
        allow_code: whether import paths may be used.
        **options: of the model.

    Raises:
        ConfigError: if there is no such model, it does not take the options, or does not work on such samples.

    Example:
        >>> import torch
        >>> model = build_model("mlp", sample_shape=(1, 8, 8), num_classes=10)
        >>> model(torch.zeros(4, 1, 8, 8)).shape
        torch.Size([4, 10])
    """
    check_model_name(name, allow_code=allow_code)
    if ":" in name:
        return call_factory(name, sample_shape=sample_shape, num_classes=num_classes, options=options)
    check_option_values("model", name, options, model_options(name))
    return _MODELS[name](sample_shape=sample_shape, num_classes=num_classes, **options)
