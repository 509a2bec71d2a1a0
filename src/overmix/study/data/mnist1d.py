"""MNIST-1D: 5,000 synthetic sequences of 40 values, ten classes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from overmix.errors import MissingExtraError
from overmix.study.data.dataset import Dataset, dataset_of


def mnist1d() -> Dataset:
    """Return sequences of shape (1, 40), float32: 4,000 in the pool, 1,000 for testing.

    The package's generator makes them, always the same ones; nothing is downloaded, read or written. The caller's
    random states are left as they were.

    Raises:
        MissingExtraError: if the package ``mnist1d`` is not installed.

    Source: S. Greydanus and D. Kobak, "Scaling Down Deep Learning with MNIST-1D", 2020.
    """
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError:
        raise MissingExtraError("mnist1d", "data") from None
    with _global_states_kept():
        arrays = make_dataset(get_dataset_args())
    x, x_test = (np.asarray(arrays[name], dtype=np.float32)[:, None] for name in ("x", "x_test"))
    return dataset_of("mnist1d", x, np.asarray(arrays["y"]), x_test, np.asarray(arrays["y_test"]), num_classes=10)


@contextmanager
def _global_states_kept() -> Iterator[None]:
    """Put back the global generators of random, NumPy and PyTorch, which other people's code seeds and uses."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
