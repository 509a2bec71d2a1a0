"""Is there enough memory? Asked before anything is allocated, and where it turns out that there is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from overmix.errors import ConfigError
from overmix.train import ModelFactory

_COPIES = 3
"""Of a model's weights, at the least: the weights, their gradients, and what the optimizer keeps."""


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory was asked for that is not there; PyTorch has several ways to say it."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in told or "out of memory" in told)


def check_model_fits(factory: ModelFactory, name: str) -> None:
    """Refuse a model whose weights alone are larger than the memory of this machine; nothing is allocated.

    Args:
        factory: builds the model.
        name: what the study calls it.

    Raises:
        ConfigError: if it does not fit.
    """
    try:
        with torch.device("meta"):
            model = factory()
    except RuntimeError as error:
        if "overflow" in str(error) or "too large" in str(error):
            raise ConfigError("model.name", name, "its weights are more than can be counted: make it smaller") from None
        return  # code of the user's own that cannot be built without memory
    except Exception:
        return
    size, there = sum(weight.nbytes for weight in model.parameters()), _memory()
    if there and _COPIES * size > there:
        raise ConfigError(
            "model.name",
            name,
            f"its weights take {size / 2**30:.3g} GiB, and training it {_COPIES} times as much, of the "
            f"{there / 2**30:.3g} GiB that this machine has: make it smaller",
        )


@contextmanager
def refusing_what_does_not_fit(name: str) -> Iterator[None]:
    """Say in one line that a model takes more memory than there is."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise ConfigError("model.name", name, "there is not enough memory for it: make it smaller") from None


def _memory() -> int:
    """Return the bytes of memory of this machine; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
