"""Plain values: what a study file can hold, as JSON can write it, and its hash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from overmix.errors import ConfigError

_LARGEST = 2**63
_DEEPEST = 20


def plain(content: Any, field: str = "study", depth: int = 0) -> Any:
    """Return a copy of a study file's content made of dict, list, str, int, float, bool and None alone.

    Raises:
        ConfigError: for anything else, such as the dates and sets that YAML knows.

    Example:
        >>> plain({"hidden": (32, 32)})
        {'hidden': [32, 32]}
    """
    if depth > _DEEPEST:
        raise ConfigError(field, "...", f"write at most {_DEEPEST} levels of keys")
    if content is None or isinstance(content, str | bool | float):
        return content
    if isinstance(content, int):
        if abs(content) >= _LARGEST:
            raise ConfigError(field, content, "use a number below 2**63")
        return content
    if isinstance(content, Mapping):
        inner = "" if field == "study" else f"{field}."
        for key in content:
            if not isinstance(key, str):
                raise ConfigError(field, key, "keys are text: write this one in quotes")
        return {key: plain(value, f"{inner}{key}", depth + 1) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain(value, f"{field}[{number}]", depth + 1) for number, value in enumerate(content)]
    kind = type(content).__name__
    raise ConfigError(field, content, f"a {kind} has no place here: for text write it in quotes, else use numbers")


def json_ready(content: Any) -> Any:
    """Return plain content as JSON can write it: infinity, which JSON does not know, as YAML spells it.

    Example:
        >>> json_ready({"alpha": float("inf")})
        {'alpha': '.inf'}
    """
    if isinstance(content, float) and not math.isfinite(content):
        return ".nan" if math.isnan(content) else ".inf" if content > 0 else "-.inf"
    if isinstance(content, Mapping):
        return {key: json_ready(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [json_ready(value) for value in content]
    return content


def canonical(content: Any) -> str:
    """Return the one JSON text of plain content, whatever the order of its keys.

    Example:
        >>> canonical({"b": 1, "a": [2.0]})
        '{"a":[2.0],"b":1}'
    """
    return json.dumps(json_ready(content), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(content: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the content's canonical JSON.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]
