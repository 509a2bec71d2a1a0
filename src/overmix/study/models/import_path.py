"""The user's own model, by import path ``module:factory``."""

from __future__ import annotations

import importlib
import operator
import os
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from overmix.errors import ConfigError, OvermixError


def import_factory(path: str) -> Callable[..., Any]:
    """Import ``module:factory``; this runs the module's code.

    The working directory is searched last, so that a file beside the study is found and no installed package is hidden.

    Raises:
        ConfigError: if the path is malformed, the module cannot be imported, or has no such function.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute or module_name.startswith("."):
        raise ConfigError("model.name", path, "write it as module:factory, such as my_models:make_model")
    if (folder := os.getcwd()) not in sys.path:
        sys.path.append(folder)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError("model.name", path, f"{error}: put its folder on PYTHONPATH, or start there") from error
    except Exception as error:
        raise ConfigError("model.name", path, f"importing {module_name} failed ({_told(error)}): repair it") from error
    try:
        factory = operator.attrgetter(attribute)(module)
    except AttributeError:
        raise ConfigError("model.name", path, f"{module_name} has no {attribute}: name a function in it") from None
    if not callable(factory):
        raise ConfigError("model.name", path, f"{attribute} is a {type(factory).__name__}: name a function")
    return factory  # type: ignore[no-any-return]


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
    factory = import_factory(path)
    try:
        model = factory(sample_shape=sample_shape, num_classes=num_classes, **options)
    except OvermixError:
        raise
    except Exception as error:
        raise ConfigError(
            "model.name",
            path,
            f"calling it with sample_shape, num_classes{''.join(f', {o}' for o in options)} failed ({_told(error)}): "
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
            "model.name", path, f"it fails on a batch of shape {(2, *sample_shape)} ({_told(error)}): repair it"
        ) from error
    finally:
        for module, training in modes.items():
            module.training = training
    if not isinstance(logits, Tensor) or logits.shape != (2, num_classes):
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ConfigError(
            "model.name",
            path,
            f"it maps a batch of shape {(2, *sample_shape)} to {found}: return logits of shape {(2, num_classes)}",
        )


def _told(error: Exception) -> str:
    first_line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line}"
