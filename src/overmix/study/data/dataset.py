"""The data set that a study draws its samples from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Bool, Int, Shaped
from overmix.errors import DataError
from overmix.mix import IGNORE_INDEX, LabelKind


@dataclass(frozen=True)
class TableColumns:
    """What the columns of a table's samples are.

    Args:
        names: of all columns: of a number its name, of a category ``colour=red``.
        numbers: how many are numbers, those that come first, NaN where one is missing; the others are 1 where a sample
            is of their category, else 0.
    """

    names: tuple[str, ...]
    numbers: int


@dataclass(frozen=True)
class Dataset:
    """A pool, which training subsets and validation splits are drawn from, and a test set.

    Args:
        name: of the data set.
        x: the pool, uint8 or float32. Values are as they were stored: each replica normalises them with the
            statistics of its own training subset.
        y: its classes, int64 in 0..C-1, -100 for samples without a label; other labels are rows (N, K), float32.
        x_test: of the pool's dtype.
        y_test: of the labels' dtype.
        num_classes: C, or the K numbers that a model returns.
        labels: what a label is.
        domain: where each sample of the pool comes from, int64, if that is known.
        validation: which samples of the pool came as validation samples: they are held out, by every seed, and never
            trained on. ``None`` where a study draws its own.
        table: what the columns are, if the samples are rows of a table.
        class_names: what the classes are called, if they have names.
    """

    name: str
    x: Shaped[Tensor, "pool *sample"]
    y: Shaped[Tensor, "pool *label"]
    x_test: Shaped[Tensor, "test *sample"]
    y_test: Shaped[Tensor, "test *label"]
    num_classes: int
    labels: LabelKind = "classes"
    domain: Int[Tensor, " pool"] | None = None
    validation: Bool[Tensor, " pool"] | None = None
    table: TableColumns | None = None
    class_names: tuple[str, ...] = ()

    @property
    def labelled(self) -> Bool[np.ndarray, " pool"]:
        """Which samples of the pool have a label, shape (N,)."""
        if self.labels == "classes":
            return (self.y != IGNORE_INDEX).numpy()
        return np.ones(len(self.y), dtype=bool)

    @property
    def strata(self) -> Int[np.ndarray, " pool"]:
        """What splits keep the shares of, shape (N,): classes; labels that are none make a single stratum."""
        classes: np.ndarray = self.y.numpy() if self.labels == "classes" else np.zeros(len(self.y), dtype=np.int64)
        return classes

    @property
    def num_strata(self) -> int:
        """How many strata there are."""
        return self.num_classes if self.labels == "classes" else 1


def dataset_of(
    name: str, x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, num_classes: int
) -> Dataset:
    """Return arrays that are known to be sound as a data set."""
    return Dataset(
        name, _tensor(x), _tensor(y, np.int64), _tensor(x_test), _tensor(y_test, np.int64), num_classes=num_classes
    )


def with_validation(dataset: Dataset, x: np.ndarray, y: np.ndarray) -> Dataset:
    """Return a data set with validation samples of its own, which join the pool and are marked there.

    Args:
        dataset: whose pool is what may be trained on.
        x: validation samples, of the pool's dtype.
        y: their labels, in the form of the pool's.
    """
    pool, labels = torch.cat([dataset.x, _tensor(x)]), torch.cat([dataset.y, _tensor(y).to(dataset.y.dtype)])
    validation = torch.arange(len(pool)) >= len(dataset.x)
    domain = dataset.domain
    if domain is not None:
        domain = torch.cat([domain, domain.new_zeros(len(x))])  # never asked for: nothing there is mixed
    return replace(dataset, x=pool, y=labels, domain=domain, validation=validation)


def _tensor(array: np.ndarray, dtype: type[np.generic] | None = None) -> Tensor:
    # Memory that other code may read only, such as a file's content, must not become a tensor: those can be written to.
    return torch.from_numpy(np.require(array, dtype, ["C_CONTIGUOUS", "WRITEABLE"]))


def image_dataset(
    name: str,
    folder: object,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    num_classes: int,
) -> Dataset:
    """Return images that were read from files as a data set.

    Args:
        name: of the data set.
        folder: where the files are, for errors.
        train: images (n, channels, height, width), uint8, and labels (n,).
        test: the same for testing.
        num_classes: C.

    Raises:
        DataError: if there are no images, images and labels differ in number, or a label is not in 0..C-1.
    """
    for part, (images, labels) in {"training": train, "test": test}.items():
        if not len(images) or len(images) != len(labels):
            raise DataError(
                f"data.path {folder}: {len(images)} {part} images and {len(labels)} labels do not belong together: "
                "fetch the files again"
            )
        if not 0 <= labels.min() <= labels.max() < num_classes:
            unknown = labels.min() if labels.min() < 0 else labels.max()
            raise DataError(
                f"data.path {folder}: the {part} label {unknown} is not in 0..{num_classes - 1}: fetch the files again"
            )
    return dataset_of(name, *train, *test, num_classes)
