"""A part of the training samples, held out for a decision."""

from __future__ import annotations

import numpy as np

from overmix._typing import Int
from overmix.errors import ConfigError
from overmix.study.data.split import stratified_order


def hold_out(
    y: Int[np.ndarray, " n"], share: float, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " rest"], Int[np.ndarray, " held"]]:
    """Divide samples into those that are trained on and those that are held out, stratified as far as that is possible.

    Every class keeps at least one sample to train on, so that a class of a single sample is not held out.

    Args:
        y: classes of the samples, shape (n,).
        share: what is held out, in (0, 1), rounded to whole samples.
        rng: draws them.

    Returns:
        Positions in ``y``, int64: the rest in ascending order, and the held-out ones.

    Raises:
        ConfigError: if fewer than two samples would be held out, or a class would lose its last one.

    Example:
        >>> rest, held = hold_out(np.array([0, 1] * 10 + [2]), 0.2, np.random.default_rng(0))
        >>> len(rest), np.bincount(np.array([0, 1] * 10 + [2])[held]).tolist()
        (17, [2, 2])
    """
    order = stratified_order(y, rng)
    _, from_the_end = np.unique(y[order][::-1], return_index=True)
    free = np.delete(order, len(y) - 1 - from_the_end)
    count = round(share * len(y))
    if not 2 <= count <= len(free):
        low, high = 2 / len(y), len(free) / len(y)
        raise ConfigError(
            "schedule.auto.holdout",
            share,
            f"of {len(y)} training samples in {len(from_the_end)} classes, shares of {low:.3g} to {high:.3g} can be "
            "held out" if high >= low else "there are too few training samples: use more, or data.val_size",
        )  # fmt: skip
    held = free[:count]
    return np.setdiff1d(np.arange(len(y)), held), held
