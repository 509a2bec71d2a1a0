"""Plain values: what a study file can hold, as JSON can write it, and its hash."""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping
from typing import Any

from overmix.errors import ConfigError

_LARGEST = 2**63
_DEEPEST = 20
_MOST_VALUES = 100_000
_LONGEST_TEXT = 4096  # of a path


def plain(content: Any) -> Any:
    """Return a copy of a study file's content made of dict, list, str, int, float, bool and None alone.

    Raises:
        ConfigError: for anything else, such as the dates and sets that YAML knows; for text that cannot be shown; and
            for more than a study can hold.

    Example:
        >>> plain({"hidden": (32, 32)})
        {'hidden': [32, 32]}
    """
    return _Copy().of(content, "study", 0)


class _Copy:
    """Copies content, and counts its values: a few lines of YAML may stand for billions of them."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, content: Any, field: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ConfigError(field, "...", f"write at most {_DEEPEST} levels of keys")
        self._count += 1
        if self._count > _MOST_VALUES:
            raise ConfigError(field, "...", f"write at most {_MOST_VALUES} values in all")
        if isinstance(content, str):
            return _shown(content, field)
        if content is None or isinstance(content, bool | float):
            return content
        if isinstance(content, int):
            if abs(content) >= _LARGEST:
                # Python refuses to write a number of thousands of digits.
                told = content if content.bit_length() < 200 else "a long number"
                raise ConfigError(field, told, "use a number below 2**63")
            return content
        if isinstance(content, Mapping):
            inner = "" if field == "study" else f"{field}."
            for key in content:
                if not isinstance(key, str):
                    raise ConfigError(field, key, "keys are text: write this one in quotes")
                _shown(key, field)
            return {key: self.of(value, f"{inner}{key}", depth + 1) for key, value in content.items()}
        if isinstance(content, list | tuple):
            return [self.of(value, f"{field}[{number}]", depth + 1) for number, value in enumerate(content)]
        kind = type(content).__name__
        raise ConfigError(field, content, f"a {kind} has no place here: for text write it in quotes, else use numbers")


def _shown(text: str, field: str) -> str:
    """Return text that tables, pictures and pages can show, and refuse any other."""
    if len(text) > _LONGEST_TEXT:
        raise ConfigError(field, text, f"use at most {_LONGEST_TEXT} characters")
    for character in text:
        if unshowable(character):
            raise ConfigError(field, text, f"leave out the character U+{ord(character):04X}, which cannot be shown")
    return text


_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows, so that a line reads as something that it is not."""


def unshowable(character: str) -> bool:
    """Return whether a character controls instead of showing: no font has it, and XML refuses most of them.

    Example:
        >>> [unshowable(character) for character in ("→", chr(27), chr(0xD800), chr(0xFFFE))]
        [False, True, True, True]
    """
    noncharacter = ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF
    return noncharacter or character in _TURNS or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


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


_NUMBERS = {".inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}


def from_json_ready(content: Any) -> Any:
    """Return parameters, all of whose texts are names, with the numbers that :func:`json_ready` spelt.

    Example:
        >>> from_json_ready({"alpha": ".inf"})
        {'alpha': inf}
    """
    if isinstance(content, Mapping):
        return {key: from_json_ready(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [from_json_ready(value) for value in content]
    return _NUMBERS.get(content, content) if isinstance(content, str) else content


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
