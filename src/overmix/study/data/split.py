"""Which samples are trained on, which are held out, and which are tested on."""

from __future__ import annotations

import operator

import numpy as np

from overmix._typing import Int
from overmix.errors import ConfigError, DataError

TEST_SPLIT_SEED = 20230302
"""Fixes the test samples of data without a test set of their own: the same in every study, so results compare."""


def stratified_order(y: Int[np.ndarray, " n"], rng: np.random.Generator) -> Int[np.ndarray, " n"]:
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


def fixed_test_split(y: Int[np.ndarray, " n"], count: int) -> tuple[Int[np.ndarray, " pool"], Int[np.ndarray, " test"]]:
    """Return the indices of a pool and of ``count`` test samples, stratified, the same for every study.

    Both are in ascending order.
    """
    order = stratified_order(y, np.random.default_rng(TEST_SPLIT_SEED))
    return np.sort(order[count:]), np.sort(order[:count])


def split_indices(
    y: Int[np.ndarray, " n"],
    *,
    train_size: int | float | None,
    val_size: int | float,
    balanced: bool,
    subset_rng: np.random.Generator,
    val_rng: np.random.Generator,
    num_classes: int,
) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " val"]]:
    """Draw a training subset and a validation split from a pool.

    The validation split comes first, from a stream of its own, and does not depend on the training subset: studies of
    different training sizes decide on the same samples. With one seed a smaller subset lies within a larger one.

    Args:
        y: classes of the pool, shape (n,).
        train_size: number of training samples, a share of the pool in (0, 1), or ``None`` for all that is left.
        val_size: number of validation samples, drawn with the pool's class shares; or a share in (0, 1) of the samples
            that are trained on or held out, at least two of each class as far as one is left to train on.
        balanced: draw equally many samples of each class; if the number cannot be divided, the first classes get one
            more. Has no effect on ``None``.
        subset_rng: draws the training subset.
        val_rng: draws the validation split.
        num_classes: C.

    Returns:
        Indices into the pool, int64, in the order in which they were drawn: training subset, validation split.

    Raises:
        ConfigError: if there are not so many samples, or a class is missing from the subset.
        DataError: if the pool itself lacks a class.

    Example:
        >>> rng = np.random.default_rng
        >>> train, val = split_indices(
        ...     np.arange(100) % 10, train_size=20, val_size=10, balanced=True,
        ...     subset_rng=rng(0), val_rng=rng(1), num_classes=10,
        ... )
        >>> len(train), len(val), len(np.intersect1d(train, val))
        (20, 10, 0)
    """
    n = len(y)
    order = stratified_order(y, val_rng)
    if isinstance(val_size, float):
        val_index = _share_held_out(y, order, val_size, train_size)
        val_size = len(val_index)
    else:
        if not 0 <= val_size < n:
            raise ConfigError("data.val_size", val_size, f"use 0 to {n - 1}: the pool has {n} samples")
        val_index = order[:val_size]
    rest = np.setdiff1d(np.arange(n), val_index)
    _check_rest(y, rest, val_size, num_classes)
    count = _count(train_size, n, len(rest))
    if balanced and train_size is not None:
        return _balanced(y, rest, count, train_size, subset_rng, num_classes), val_index
    index = subset_rng.permutation(rest)[:count]
    missing = np.flatnonzero(np.bincount(y[index], minlength=num_classes) == 0)
    if len(missing):
        raise ConfigError(
            "data.train_size",
            train_size,
            f"class {missing[0]} is missing from this draw: use more samples, or balanced: true",
        )
    return index, val_index


def _share_held_out(
    y: np.ndarray, order: np.ndarray, share: float, train_size: int | float | None
) -> Int[np.ndarray, " val"]:
    """Return the held-out samples of a study that holds out a share: the first two of each class, and then in order.

    The share is of the training samples that are asked for, and is drawn beside them as far as the pool goes; of the
    whole pool where all of it is asked for. Every class keeps one sample to train on.
    """
    if not 0 < share < 1:
        raise ConfigError("data.val_size", share, "use a share in (0, 1), or a whole number of samples")
    n = len(y)
    asked = n if train_size is None else _count(train_size, n, n)
    wanted = round(share * asked) if train_size is None else min(round(share * asked), n - asked)
    seen = np.empty(n, dtype=np.int64)  # how many of its own class come before it
    for label in np.unique(y):
        members = order[y[order] == label]
        seen[members] = np.arange(len(members))
    left = np.bincount(y[y >= 0])[y] - seen if n else seen
    first = [at for at in order if seen[at] < 2 and left[at] > 1]
    others = [at for at in order if seen[at] >= 2 and left[at] > 1]
    return np.array([*first, *others][: max(len(first), wanted)], dtype=np.int64)


def _check_rest(y: np.ndarray, rest: np.ndarray, val_size: int, num_classes: int) -> None:
    """Refuse a pool without a class, and a validation split that takes the whole of one."""
    missing = np.flatnonzero(np.bincount(y[rest], minlength=num_classes) == 0)
    if not len(missing):
        return
    if not (y == missing[0]).any():
        raise DataError(f"data: the pool has no sample of class {missing[0]}: add some, or number the classes 0..C-1")
    raise ConfigError("data.val_size", val_size, f"it takes all samples of class {missing[0]}: use a smaller one")


def _count(train_size: int | float | None, n: int, available: int) -> int:
    """Return the number of training samples that are asked for."""
    if train_size is None:
        return available
    if isinstance(train_size, float):
        if not 0 < train_size < 1:
            raise ConfigError("data.train_size", train_size, "use a share in (0, 1), or a whole number of samples")
        count = round(train_size * n)
    else:
        count = operator.index(train_size)
    if count > available:
        most = f"{available}" if count == train_size else f"a share of {available / n:.6g}"
        raise ConfigError(
            "data.train_size",
            train_size,
            f"use at most {most}: the pool has {n} samples, and {n - available} are held out",
        )
    if count < 1:
        raise ConfigError("data.train_size", train_size, "use at least one sample")
    return count


def _balanced(
    y: np.ndarray,
    rest: np.ndarray,
    count: int,
    train_size: int | float,
    rng: np.random.Generator,
    num_classes: int,
) -> np.ndarray:
    """Return ``count`` indices with equal class counts; the first classes get what is left over."""
    if count < num_classes:
        raise ConfigError("data.train_size", train_size, f"use at least {num_classes}: one sample of each class")
    wanted = np.full(num_classes, count // num_classes)
    wanted[: count % num_classes] += 1
    available = np.bincount(y[rest], minlength=num_classes)
    if (available < wanted).any():
        scarce = int(available.argmin())
        # All classes can give as many as the scarcest, and those before it one more.
        most = num_classes * int(available[scarce]) + scarce
        raise ConfigError(
            "data.train_size",
            train_size,
            f"class {scarce} has only {available[scarce]} samples: use at most {most}, or balanced: false",
        )
    parts = [rng.permutation(rest[y[rest] == label])[: wanted[label]] for label in range(num_classes)]
    return rng.permutation(np.concatenate(parts))
