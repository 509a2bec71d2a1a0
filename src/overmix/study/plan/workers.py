"""How many processes a study uses."""

from __future__ import annotations

import os


def worker_count(asked: int | str, device: str) -> int:
    """Return the number of processes: as asked, or one per processor, or one for a GPU."""
    if isinstance(asked, int):
        return asked
    if device != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
