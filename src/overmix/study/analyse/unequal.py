"""Unequal classes: the error that weighs them alike, and what always naming the largest one would reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from overmix._typing import Float, Int
from overmix.errors import ConfigError, OvermixError
from overmix.study.analyse.cell_result import CellResult
from overmix.study.plan.trainings import open_dataset, pool_key

UNEQUAL = 2.0
"""The largest class over the smallest from which on classes are called unequal."""


def with_test_classes(cells: Sequence[CellResult]) -> list[CellResult]:
    """Return the runs with the classes of their test samples, where labels are classes and the data can be read."""
    known: dict[str, np.ndarray | None] = {}
    for cell in cells:
        key = pool_key(cell.cell.data)
        if key not in known:
            known[key] = _read(cell)
    return [replace(cell, test_classes=known[pool_key(cell.cell.data)]) for cell in cells]


def _read(cell: CellResult) -> np.ndarray | None:
    if cell.labels != "classes":
        return None
    try:
        classes = open_dataset(cell.cell.data).y_test.numpy()
    except (OvermixError, OSError):
        return None  # the results are here, the data are gone
    return classes if len(classes) == cell.wrong.shape[-1] else None


def class_weights(classes: Int[np.ndarray, " samples"]) -> Float[np.ndarray, " samples"]:
    """Return what each test sample counts in the balanced error, ``M / (C n_c)``; the mean is 1.

    Example:
        >>> class_weights(np.array([0, 0, 0, 1])).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    counts = np.bincount(classes)
    return np.asarray(len(classes) / (np.count_nonzero(counts) * counts[classes]))


def are_unequal(classes: Int[np.ndarray, " samples"]) -> bool:
    """Whether the largest class has at least twice as many samples as the smallest.

    Example:
        >>> are_unequal(np.array([0, 0, 0, 1])), are_unequal(np.array([0, 0, 1]))
        (True, True)
    """
    counts = np.bincount(classes)
    return bool(counts.max() >= UNEQUAL * counts[counts > 0].min())


def majority_error(cell: CellResult) -> float | None:
    """Return the test error of always naming the class that has most training samples; ``None`` if not known."""
    if cell.test_classes is None or not cell.class_counts:
        return None
    return float(np.mean(cell.test_classes != int(np.argmax(cell.class_counts))))


def judged_by_balanced_error(cells: Sequence[CellResult]) -> list[CellResult]:
    """Return the runs with errors that weigh all classes alike: their mean is the balanced error.

    Raises:
        ConfigError: where labels are no classes, or those of the test samples cannot be read.
    """
    return [_balanced(cell) for cell in cells]


def _balanced(cell: CellResult) -> CellResult:
    if cell.test_classes is None:
        remedy = "it needs labels that are classes, and the data that were tested on: leave metric out, or restore them"
        raise ConfigError("metric", "balanced_error", remedy)
    return replace(cell, wrong=(cell.wrong * class_weights(cell.test_classes)).astype(np.float32))
