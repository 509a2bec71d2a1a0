"""The data sets that a study can name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from overmix.errors import ConfigError, did_you_mean
from overmix.study.data.cifar import cifar10, cifar100
from overmix.study.data.dataset import Dataset
from overmix.study.data.digits import digits
from overmix.study.data.fashion_mnist import fashion_mnist
from overmix.study.data.folder import folder
from overmix.study.data.mnist1d import mnist1d
from overmix.study.data.npz import npz
from overmix.study.data.svhn import svhn
from overmix.study.data.table import csv, parquet
from overmix.study.options import check_option_values

_DATASETS: dict[str, Callable[..., Dataset]] = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "csv": csv,
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "folder": folder,
    "mnist1d": mnist1d,
    "npz": npz,
    "parquet": parquet,
    "svhn": svhn,
}


BRING_VALIDATION = ("folder", "npz")
"""Data sets whose files may hold validation samples of their own."""


def dataset_names() -> list[str]:
    """Return the names of the data sets, sorted."""
    return sorted(_DATASETS)


def dataset_options(name: str) -> dict[str, Any]:
    """Return the options that a data set takes, with their defaults.

    Example:
        >>> dataset_options("npz")
        {'path': '', 'test_size': 0.25, 'labels': 'auto'}
    """
    return {p.name: p.default for p in inspect.signature(_dataset(name)).parameters.values()}


def load_dataset(name: str, **options: Any) -> Dataset:
    """Return a data set.

    Args:
        name: one of :func:`dataset_names`.
        **options: of the data set.

    Raises:
        ConfigError: for an unknown name or option, with the nearest known one, or a value that cannot work.
        DataError: for data that cannot be trained on.
        MissingExtraError: if the data set needs a package that is not installed.

    Example:
        >>> dataset = load_dataset("digits")
        >>> dataset.x.shape, dataset.x.dtype, len(dataset.y_test)
        (torch.Size([797, 1, 8, 8]), torch.uint8, 1000)
    """
    check_option_values("data", name, options, dataset_options(name))
    return _dataset(name)(**options)


def _dataset(name: str) -> Callable[..., Dataset]:
    if name not in _DATASETS:
        raise ConfigError("data.name", name, did_you_mean(name, _DATASETS))
    return _DATASETS[name]
