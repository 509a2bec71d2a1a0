"""The user's own model, by import path ``module:factory``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from overmix.errors import ConfigError, OvermixError
from overmix.import_path import import_attribute, told


def call_factory(path: str, *, sample_shape: tuple[int, ...], num_classes: int, options: dict[str, Any]) -> nn.Module:
    """Return what the factory at an import path makes, after a look at its output.

    Args:
        path: ``module:factory``; called with ``sample_shape``, ``num_classes`` and the options as keywords.
        sample_shape: shape of one sample.
        num_classes: C.
        options: further keywords.

    Raises:
        ConfigError: if the call fails, or does not return a module that maps (B, *sample_shape) to (B, C).
    """
    factory = import_attribute(path, field="model.name", form="module:factory, such as my_models:make_model")
    try:
        model = factory(sample_shape=sample_shape, num_classes=num_classes, **options)
    except OvermixError:
        raise
    except Exception as error:
        raise ConfigError(
            "model.name",
            path,
            f"calling it with sample_shape, num_classes{''.join(f', {o}' for o in options)} failed ({told(error)}): "
            "make it accept these keywords",
        ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError("model.name", path, f"it returned a {type(model).__name__}: return a torch.nn.Module")
    _check_output(model, path, sample_shape, num_classes)
    return model


def _check_output(model: nn.Module, path: str, sample_shape: tuple[int, ...], num_classes: int) -> None:
    """Refuse a model whose output has another shape than logits have; its state and mode stay as they were."""
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            logits = model.eval()(torch.zeros(2, *sample_shape))
    except Exception as error:
        raise ConfigError(
            "model.name", path, f"it fails on a batch of shape {(2, *sample_shape)} ({told(error)}): repair it"
        ) from error
    finally:
        for module, training in modes.items():
            module.training = training
    if not isinstance(logits, Tensor) or logits.shape != (2, num_classes):
        returned = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ConfigError(
            "model.name",
            path,
            f"it maps a batch of shape {(2, *sample_shape)} to {returned}: return logits of shape {(2, num_classes)}",
        )
