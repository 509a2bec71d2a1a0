"""Options of data sets and models, checked against the defaults that their functions declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overmix.errors import ConfigError, did_you_mean


def check_option_values(part: str, name: str, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuse an option that is unknown, or whose value is of another kind than its default.

    Args:
        part: where the options stand: ``"data"`` or ``"model"``.
        name: what takes them.
        options: the values given.
        defaults: every option that is known, with its default.

    Raises:
        ConfigError: naming the nearest known option, or the kind of value that is needed.

    Example:
        >>> check_option_values("model", "convnet", {"width": "wide"}, {"width": 32})
        Traceback (most recent call last):
        ...
        overmix.errors.ConfigError: model.width = 'wide': give a whole number, such as 32
    """
    for option, value in options.items():
        if option not in defaults:
            remedy = did_you_mean(option, defaults) if defaults else f"{name} takes no options"
            raise ConfigError(f"{part}.{option}", value, f"unknown key, {remedy}")
        kind = _kind(defaults[option])
        if kind != _kind(value) and not (kind == "a number" and _kind(value) == "a whole number"):
            raise ConfigError(f"{part}.{option}", value, f"give {kind}{_such_as(defaults[option])}")


def _kind(value: Any) -> str:
    # bool first: Python counts it among the integers, but nobody who writes "width: true" means 1.
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    kinds[tuple] = kinds[list]
    return next((kind for cls, kind in kinds.items() if isinstance(value, cls)), type(value).__name__)


def _such_as(default: Any) -> str:
    if isinstance(default, bool) or default == "":
        return ""
    return f", such as {list(default) if isinstance(default, tuple) else default}"
