"""Code of the user's own, by import path ``module:name``."""

from __future__ import annotations

import importlib
import operator
import os
import sys
from collections.abc import Callable
from typing import Any

from overmix.errors import ConfigError


def import_attribute(path: str, *, field: str, form: str) -> Callable[..., Any]:
    """Import ``module:name``, a function or a class; this runs the module's code.

    The working directory is searched last, so that a file beside the study is found and no installed package is hidden.

    Args:
        path: as the study names it.
        field: where it stands in the study, for errors.
        form: how such a path is written, for errors.

    Raises:
        ConfigError: if the path is malformed, the module cannot be imported, or has no such function.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute or module_name.startswith("."):
        raise ConfigError(field, path, f"write it as {form}")
    if (folder := os.getcwd()) not in sys.path:
        sys.path.append(folder)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(field, path, f"{error}: put its folder on PYTHONPATH, or start there") from error
    except Exception as error:
        raise ConfigError(field, path, f"importing {module_name} failed ({told(error)}): repair it") from error
    try:
        target = operator.attrgetter(attribute)(module)
    except AttributeError:
        raise ConfigError(field, path, f"{module_name} has no {attribute}: name a function in it") from None
    if not callable(target):
        raise ConfigError(field, path, f"{attribute} is a {type(target).__name__}: name a function")
    return target  # type: ignore[no-any-return]


def told(error: Exception) -> str:
    """Return an error's type and first line."""
    first_line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line}"
