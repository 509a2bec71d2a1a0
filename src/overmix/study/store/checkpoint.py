"""Tensors on disk: safetensors with a JSON header, never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from overmix.study.store.files import write_bytes


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a header of plain JSON values, atomically.

    Raises:
        RunDirectoryError: if the file cannot be written.
    """
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(contiguous, metadata={"overmix": json.dumps(header, sort_keys=True)}))


def load_tensors(path: Path, stack: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return tensors and header, or ``None`` if the file is missing, damaged, or of another stack.

    Args:
        path: the file.
        stack: id of the stack that it must belong to; :func:`save_tensors` was given it as ``header["stack"]``.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["overmix"])
            if not isinstance(header, dict) or header.get("stack") != stack:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}, header
    except (SafetensorError, OSError, KeyError, ValueError):
        return None
