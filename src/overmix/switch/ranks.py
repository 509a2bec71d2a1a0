"""Ranks: what the processes of a distributed run tell each other, so that all of them reach one decision."""

from __future__ import annotations

import torch
import torch.distributed as dist

from overmix._typing import Float


def rank() -> int:
    """Return the number of this process in its process group; 0 without one."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world_size() -> int:
    """Return how many processes train together; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather(local: Float[torch.Tensor, " own"]) -> list[Float[torch.Tensor, " length"]]:
    """Return the vectors of all ranks, in the order of the ranks; every rank must call it, and gets the same list.

    Vectors of different lengths are padded on their way, and cut again: nothing is pickled.

    Args:
        local: shape (L,), float64 on the CPU, where L may differ from rank to rank and be 0.

    Example:
        >>> gather(torch.ones(2, dtype=torch.float64))   # one process
        [tensor([1., 1.], dtype=torch.float64)]
    """
    ranks = world_size()
    if ranks == 1:
        return [local]
    # NCCL moves what lies on a GPU only; every other backend takes the CPU's.
    device = torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
    lengths = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(ranks)]
    dist.all_gather(lengths, torch.tensor([local.numel()], device=device))
    sizes = [int(length) for length in lengths]
    padded = torch.zeros(max(sizes), dtype=torch.float64, device=device)
    padded[: local.numel()] = local
    parts = [torch.empty_like(padded) for _ in range(ranks)]
    dist.all_gather(parts, padded)
    return [part[:size].cpu() for part, size in zip(parts, sizes, strict=True)]
