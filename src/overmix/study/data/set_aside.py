"""Test samples for data that come without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from overmix.errors import ConfigError, DataError
from overmix.study.data.dataset import Dataset
from overmix.study.data.split import fixed_test_split


def check_test_size(test_size: float) -> None:
    """Refuse what is no share.

    Raises:
        ConfigError: naming what is.
    """
    if not 0 < test_size < 1:
        raise ConfigError("data.test_size", test_size, "use a share in (0, 1)")


def set_aside(
    whole: Dataset, test_size: float, classes: str, unless: str = "of numbers, say data: {labels: values}"
) -> Dataset:
    """Return data without test samples with a share of its labelled samples set aside for testing.

    Args:
        whole: the data.
        test_size: the share, in (0, 1).
        classes: what errors call that in which the classes were found.
        unless: what helps where they were meant to be values.

    Raises:
        ConfigError: if no sample would be tested on, or a class would be left without one to train on.
        DataError: if most classes have a single sample: they are none.
    """
    known = np.flatnonzero(whole.labelled)
    strata = whole.strata[known]
    kept, tested = fixed_test_split(strata, round(test_size * len(known)))
    missing = np.flatnonzero(np.bincount(strata[kept], minlength=whole.num_strata) == 0)
    if len(tested) == 0 or len(missing):
        shortage = "no sample is tested on"
        if len(missing):
            _check_repeated(np.bincount(strata), classes, unless)
            shortage = f"no sample of class {missing[0]} is left to train on"
        raise ConfigError(
            "data.test_size", test_size, f"of {len(known)} samples {shortage}: give more samples, or x_test and y_test"
        )
    test = torch.from_numpy(known[tested])
    pool = torch.from_numpy(np.setdiff1d(np.arange(len(whole.y)), known[tested]))
    return replace(
        whole,
        x=whole.x[pool],
        y=whole.y[pool],
        x_test=whole.x[test],
        y_test=whole.y[test],
        domain=None if whole.domain is None else whole.domain[pool],
    )


def _check_repeated(counts: np.ndarray, classes: str, unless: str) -> None:
    """Refuse names, texts and values that were taken for classes: more samples of that kind would not help."""
    if 2 * int((counts == 1).sum()) > len(counts):
        raise DataError(
            f"{classes} has {len(counts):,} different values in {counts.sum():,} samples, most of them once, so they "
            f"are no classes: name a target of few values, or, {unless}"
        )
