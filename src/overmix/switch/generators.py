"""The process's global random generators: saved and set back."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def generator_states() -> dict[str, Any]:
    """Return the states of PyTorch's (CPU, and the GPUs in use), NumPy's and Python's global generators.

    Plain numbers, lists and tensors, so that ``torch.load(weights_only=True)`` reads them.
    """
    version, numbers, gauss = random.getstate()
    states: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": _plain(np.random.get_state(legacy=False)),  # noqa: NPY002
        "python": [version, list(numbers), gauss],
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # asking for the state of a device not in use would take memory on it
        states["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_generator_states(states: dict[str, Any]) -> None:
    """Undo what was drawn since :func:`generator_states`."""
    # States are bytes on the CPU, wherever a checkpoint was loaded to.
    torch.set_rng_state(states["torch"].cpu())
    np.random.set_state(_arrays(states["numpy"]))  # noqa: NPY002
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    if "cuda" in states and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"].cpu())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    # int64: torch.save knows no unsigned numbers of 32 bits before PyTorch 2.5.
    return torch.from_numpy(value.astype(np.int64)) if isinstance(value, np.ndarray) else value


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _arrays(part) for key, part in value.items()}
    return value.cpu().numpy() if isinstance(value, torch.Tensor) else value
