"""Tensors on disk: safetensors with a JSON header and a seal, never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from overmix.files.regular_file import open_regular
from overmix.study.store.files import write_bytes
from overmix.study.store.seal import BLANK, is_intact, sealed


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a header of plain JSON values, sealed and atomically.

    Raises:
        RunDirectoryError: if the file cannot be written.
    """
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    metadata = f'{{"seal": "{BLANK}", "header": {json.dumps(header, sort_keys=True)}}}'
    write_bytes(path, sealed(save(contiguous, metadata={"overmix": metadata})))


def load_tensors(path: Path, stack: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return tensors and header, or ``None`` if the file is missing, damaged, or of another stack.

    Args:
        path: the file.
        stack: id of the stack that it must belong to; :func:`save_tensors` was given it as ``header["stack"]``.
    """
    try:
        with open_regular(path) as file:
            content = file.read()
        if not is_intact(content):
            return None
        header = _header(content)
        return None if header.get("stack") != stack else (load(content), header)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _header(content: bytes) -> dict[str, Any]:
    """Return the header that :func:`save_tensors` was given; the file's own begins with its length."""
    length = int.from_bytes(content[:8], "little")
    written = json.loads(content[8 : 8 + length])["__metadata__"]["overmix"]
    header: dict[str, Any] = json.loads(written)["header"]
    return header
