"""The models that a study can name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from overmix.errors import ConfigError, did_you_mean
from overmix.study.models.convnet import convnet
from overmix.study.models.mlp import mlp

_MODELS: dict[str, Callable[..., nn.Module]] = {"convnet": convnet, "mlp": mlp}
_GIVEN = ("sample_shape", "num_classes")


def model_names() -> list[str]:
    """Return the names of the models, sorted."""
    return sorted(_MODELS)


def model_options(name: str) -> dict[str, Any]:
    """Return the options that a registered model takes, with their defaults.

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

    Args:
        name: a registered name, or ``module:factory``; the factory is called with ``sample_shape``, ``num_classes`` and
            the options as keywords.
        sample_shape: shape of one sample.
        num_classes: C.
        allow_code: whether import paths may be used.
        **options: of the model.

    Raises:
        ConfigError: if there is no such model, it does not take the options, or is no module.
    """
    check_model_name(name, allow_code=allow_code)
    factory = _imported(name) if ":" in name else _MODELS[name]
    try:
        inspect.signature(factory).bind(sample_shape=sample_shape, num_classes=num_classes, **options)
    except TypeError as error:
        raise ConfigError("model.name", name, f"it cannot be called with these options ({error})") from None
    model = factory(sample_shape=sample_shape, num_classes=num_classes, **options)
    if not isinstance(model, nn.Module):
        raise ConfigError("model.name", name, f"it returned a {type(model).__name__}, not a torch.nn.Module")
    return model


def _imported(path: str) -> Callable[..., Any]:
    module_name, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            "model.name", path, f"the module cannot be imported ({error}): is it on PYTHONPATH?"
        ) from None
    except AttributeError:
        raise ConfigError("model.name", path, f"{module_name} has no {attribute}") from None
    if not callable(found):
        raise ConfigError("model.name", path, f"{attribute} is not a function that builds a model")
    return found  # type: ignore[no-any-return]
