"""Which samples are trained on, and which are held out."""

from __future__ import annotations

from typing import Any

import numpy as np

from overmix._typing import Int
from overmix.errors import ConfigError


def stratified_order(y: Int[np.ndarray[Any, Any], " n"], rng: np.random.Generator) -> Int[np.ndarray[Any, Any], " n"]:
    """Return a random order of the samples whose every beginning has the classes in nearly the shares of the whole.

    Args:
        y: classes, shape (n,).
        rng: decides the order.
    """
    position = np.empty(len(y))
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        # Evenly spaced within (0, 1), so that classes interleave in proportion to their sizes.
        position[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(position, kind="stable")


def split_indices(
    y: Int[np.ndarray[Any, Any], " n"],
    *,
    train_size: int | float | None,
    val_size: int,
    balanced: bool,
    subset_rng: np.random.Generator,
    val_rng: np.random.Generator,
    num_classes: int,
) -> tuple[Int[np.ndarray[Any, Any], " train"], Int[np.ndarray[Any, Any], " val"]]:
    """Draw a training subset and a validation split from a pool.

    The validation split is drawn first and does not depend on the size of the training subset, so that studies of
    different sizes decide on the same samples.

    Args:
        y: classes of the pool, shape (n,).
        train_size: number of training samples, a share of the pool in (0, 1), or ``None`` for all that is left.
        val_size: number of validation samples; drawn with the pool's class shares.
        balanced: draw as many samples of each class, as far as the number can be divided.
        subset_rng: draws the training subset.
        val_rng: draws the validation split.
        num_classes: C.

    Returns:
        Indices into the pool: training subset, validation split.

    Raises:
        ConfigError: if there are not so many samples, or a class is missing from the subset.
    """
    n = len(y)
    if not 0 <= val_size < n:
        raise ConfigError("data.val_size", val_size, f"use at most {n - 1}: the pool has {n} samples")
    val_index = stratified_order(y, val_rng)[:val_size]
    rest = np.setdiff1d(np.arange(n), val_index)
    count = _count(train_size, n, len(rest))
    if balanced and count < len(rest):
        index = _balanced(y, rest, count, subset_rng, num_classes)
    else:
        index = subset_rng.permutation(rest)[:count]
    missing = np.flatnonzero(np.bincount(y[index], minlength=num_classes) == 0)
    if len(missing):
        raise ConfigError(
            "data.train_size", train_size, f"class {missing[0]} is missing from it: use more samples, or balanced: true"
        )
    return index, val_index


def _count(train_size: int | float | None, n: int, available: int) -> int:
    if train_size is None:
        return available
    if isinstance(train_size, float) and not 0 < train_size < 1:
        raise ConfigError("data.train_size", train_size, "use a share in (0, 1), or a whole number of samples")
    count = int(train_size * n) if isinstance(train_size, float) else train_size
    if not 1 <= count <= available:
        raise ConfigError("data.train_size", train_size, f"use 1 to {available}: so many samples are not held out")
    return count


def _balanced(
    y: np.ndarray[Any, Any],
    rest: np.ndarray[Any, Any],
    count: int,
    rng: np.random.Generator,
    num_classes: int,
) -> np.ndarray[Any, Any]:
    """Return ``count`` indices with equal class counts; the first classes take what is left over."""
    if count < num_classes:
        raise ConfigError("data.train_size", count, f"use at least {num_classes}: one sample of each class")
    per_class = np.full(num_classes, count // num_classes)
    per_class[: count % num_classes] += 1
    parts = []
    for label, wanted in enumerate(per_class):
        members = rest[y[rest] == label]
        if len(members) < wanted:
            raise ConfigError(
                "data.train_size",
                count,
                f"class {label} has only {len(members)} samples left, {wanted} are needed: use fewer samples, or "
                "balanced: false",
            )
        parts.append(rng.permutation(members)[:wanted])
    return rng.permutation(np.concatenate(parts))
