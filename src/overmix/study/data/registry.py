"""The data sets that a study can name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from overmix.errors import ConfigError, did_you_mean
from overmix.study.data.dataset import Dataset
from overmix.study.data.digits import digits
from overmix.study.data.fashion_mnist import fashion_mnist
from overmix.study.data.mnist1d import mnist1d
from overmix.study.data.npz import npz

_DATASETS: dict[str, Callable[..., Dataset]] = {
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "mnist1d": mnist1d,
    "npz": npz,
}


def dataset_names() -> list[str]:
    """Return the names of the data sets, sorted."""
    return sorted(_DATASETS)


def dataset_options(name: str) -> dict[str, Any]:
    """Return the options that a data set takes, with their defaults.

    Example:
        >>> dataset_options("npz")
        {'path': '', 'test_size': 0.25}
    """
    return {p.name: p.default for p in inspect.signature(_dataset(name)).parameters.values()}


def load_dataset(name: str, **options: Any) -> Dataset:
    """Return a data set.

    Args:
        name: one of :func:`dataset_names`.
        **options: of the data set.

    Raises:
        ConfigError: for an unknown name or option, with the nearest known one.
        DataError: for data that cannot be trained on.
    """
    known = dataset_options(name)
    for option, value in options.items():
        if option not in known:
            remedy = did_you_mean(option, known) if known else f"{name} takes no options"
            raise ConfigError(f"data.{option}", value, f"unknown key, {remedy}")
        if not isinstance(value, type(known[option])):
            kind = type(known[option]).__name__
            raise ConfigError(f"data.{option}", value, f"give a {kind}")
    return _dataset(name)(**options)


def _dataset(name: str) -> Callable[..., Dataset]:
    if name not in _DATASETS:
        raise ConfigError("data.name", name, did_you_mean(name, _DATASETS))
    return _DATASETS[name]
