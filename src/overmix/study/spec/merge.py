"""Overrides in a study file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``override`` laid over it, mappings within mappings key by key.

    Example:
        >>> merged({"optimizer": {"lr": 0.1, "momentum": 0.9}}, {"optimizer": {"lr": 0.2}})
        {'optimizer': {'lr': 0.2, 'momentum': 0.9}}
    """
    result = dict(base)
    for key, value in override.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return result
