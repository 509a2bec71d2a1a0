"""JSON, one document or one per line, with nothing in it that hurts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overmix.diagnose.logs.readers.reader import text_of
from overmix.errors import DataError


def document(path: Path) -> Any:
    """Return a file's one JSON document.

    Raises:
        DataError: it is not JSON.
    """
    return parsed(text_of(path), str(path))


def parsed(text: str, where: str) -> Any:
    """Return a text's one JSON document.

    Raises:
        DataError: it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error})") from None


def begins_as_json(path: Path) -> bool:
    """Whether a file's name or first sign says that it is JSON."""
    try:
        return path.suffix.lower() == ".json" or text_of(path).lstrip()[:1] in ("{", "[")
    except DataError:
        return False


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten nested mappings, their names joined by slashes.

    Example:
        >>> flat({"epoch": 1, "val": {"acc": 0.5}})
        {'epoch': 1, 'val/acc': 0.5}
    """
    out: dict[str, Any] = {}
    for name, value in row.items():
        inner = flat(value) if isinstance(value, Mapping) else None
        out |= {name: value} if inner is None else {f"{name}/{deeper}": x for deeper, x in inner.items()}
    return out
