"""What the bytes of a result depend on beyond the study: versions, instruction set, threads."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

import overmix

THREADS = 1
"""Threads of a worker on the CPU. Always one: the order of sums, and so the last bits, depend on it."""


def fingerprint(device: str) -> dict[str, Any]:
    """Return what a result's last bits depend on, as plain JSON values."""
    return {
        "overmix": overmix.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _processor(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "threads": THREADS,
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
