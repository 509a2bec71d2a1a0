"""How a process computes that trains: one thread, and no denormal numbers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from overmix.study.plan.fingerprint import THREADS


def set_up_process() -> None:
    """Make this process a worker: one thread, no denormal numbers, memory that stays.

    Denormals slow long trainings down once gradients have become tiny. glibc by default gives large blocks back to the
    system at once, and asking for them again costs more than the arithmetic of a small model's step.
    """
    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)
    if os.name == "posix":
        try:
            mallopt = ctypes.CDLL(None).mallopt
        except (OSError, AttributeError):
            return  # another C library; nothing is lost but some speed
        mmap_threshold, trim_threshold = -3, -1
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, 2**31 - 1)


@contextmanager
def as_a_worker() -> Iterator[None]:
    """Compute as a worker does, and leave the caller's process as it was."""
    threads = torch.get_num_threads()
    set_up_process()
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)
