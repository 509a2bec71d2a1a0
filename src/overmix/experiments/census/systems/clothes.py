"""Fashion-MNIST, read once per process, for the systems that see or compose its images."""

from __future__ import annotations

from functools import lru_cache

from overmix.study.data import Dataset
from overmix.study.data.fashion_mnist import fashion_mnist


@lru_cache(maxsize=1)
def clothes() -> Dataset:
    """Return the images."""
    return fashion_mnist()
