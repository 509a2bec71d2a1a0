"""Fashion-MNIST as the systems use it, read once per process."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from overmix._typing import Float
from overmix.study.data import Dataset, load_dataset

POPULATION = 12_000
"""Images of the pool that seeds draw from."""


@lru_cache(maxsize=1)
def fashion() -> Dataset:
    """Return Fashion-MNIST.

    Raises:
        ConfigError: if it is not there, with the package that has it.
    """
    return load_dataset("fashion_mnist")


@lru_cache(maxsize=2)
def components(dim: int) -> tuple[Float[Tensor, "pool dim"], Float[Tensor, "test dim"]]:
    """Return principal components of the images, each with variance 1: a fixed embedding, of the pool's population.

    Args:
        dim: how many.

    Returns:
        Those of the population, and of all test images.
    """
    data = fashion()
    pool, test = (x.flatten(1).double() / 255 for x in (data.x[:POPULATION], data.x_test))
    mean = pool.mean(0)
    values, vectors = torch.linalg.eigh((pool - mean).T @ (pool - mean) / len(pool))
    scaled = vectors[:, -dim:].flip(1) / values[-dim:].flip(0).sqrt()
    return ((pool - mean) @ scaled).float(), ((test - mean) @ scaled).float()
