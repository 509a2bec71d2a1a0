"""A stack that cannot be trained whole is trained in parts, whose results are joined.

A replica's numbers do not depend on which others share its stack: on the CPU not by a bit, on a GPU to float tolerance,
as its products may be computed by another kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from overmix.study.plan.cells import StackTask

Saved = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors and header of a stack's result."""

_SHARED = ("epochs",)
"""Tensors that have no dimension of replicas."""

_PER_REPLICA = ("cells", "class_counts", "switch_at", "cost")
"""Keys of the header that are lists with an entry for each replica, or None."""


def halves(task: StackTask) -> list[StackTask]:
    """Return a stack's two halves, which take half of the memory each."""
    middle = len(task.cells) // 2
    return [replace(task, cells=cells) for cells in (task.cells[:middle], task.cells[middle:])]


def one_by_one(task: StackTask) -> list[StackTask]:
    """Return a stack's runs, each by itself and without mapping the model."""
    return [replace(task, cells=(cell,), execution="looped") for cell in task.cells]


def joined(task: StackTask, parts: Sequence[Saved]) -> Saved:
    """Return the result of a whole stack from those of its parts, in their order."""
    tensors = {
        name: tensor if name in _SHARED else torch.cat([part[name] for part, _ in parts])
        for name, tensor in parts[0][0].items()
    }
    headers: list[Mapping[str, Any]] = [header for _, header in parts]
    lists = {
        key: None if headers[0][key] is None else [entry for header in headers for entry in header[key]]
        for key in _PER_REPLICA
    }
    seconds = round(sum(header["seconds"] for header in headers), 3)
    whole = {
        "stack": task.id,
        "seconds": seconds,
        "forked": None,
        "parts": [len(header["cells"]) for header in headers],
    }
    return tensors, {**headers[0], **lists, **whole}
