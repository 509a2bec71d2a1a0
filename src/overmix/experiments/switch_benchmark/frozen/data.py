"""The arrays of the frozen benchmark, written once as files that a study can name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from overmix.experiments.switch_benchmark.frozen.tables import TABLES, LabelledTable
from overmix.experiments.switch_benchmark.frozen.trainings import TEST_SAMPLES
from overmix.files.folders import made_folder
from overmix.study.data.split import fixed_test_split
from overmix.study.store.arrays import npz_bytes
from overmix.study.store.files import write_bytes

_TESTED = 0.4
"""At most this share of a table is tested on."""

FASHION = {
    "fashion": tuple(range(10)),
    "fashion_tops": (0, 2, 3, 4, 6),
    "fashion_rest": (1, 5, 7, 8, 9),
    "fashion_first": (0, 1, 2, 3, 4),
    "fashion_last": (5, 6, 7, 8, 9),
}
"""Classes of Fashion-MNIST; of each part the others are what models are pretrained on, before they are tuned."""

_POOL = 1000
"""Images of each part that subsets are drawn from."""


def _series(name: str) -> Callable[[], LabelledTable]:
    """Return a table whose columns are x, y, x, y, ... of points of a curve as sequences of two channels."""

    def make() -> LabelledTable:
        x, y = TABLES[name]()
        return np.ascontiguousarray(x.reshape(len(x), -1, 2).transpose(0, 2, 1)), y

    return make


DATA: dict[str, Callable[[], LabelledTable]] = {
    **TABLES,
    "movement_libras_series": _series("movement_libras"),
    "penbased_series": _series("penbased"),
}


def data_file(folder: Path, name: str) -> Path:
    """Return the file of a data set's arrays, written if it is not there.

    Args:
        folder: where it is, or is written.
        name: of :data:`DATA` or :data:`FASHION`.

    Raises:
        ConfigError: if the package with the data is not there.
    """
    file = folder / f"{name}.npz"
    if not file.exists():
        arrays = _images(FASHION[name], _POOL) if name in FASHION else _table(*DATA[name]())
        _write(file, arrays)
    return file


def others_file(folder: Path, name: str) -> Path:
    """Return the file of all images of the classes that a part of Fashion-MNIST does not have."""
    file = folder / f"not_{name}.npz"
    if not file.exists():
        _write(file, _images(tuple(c for c in range(10) if c not in FASHION[name]), None))
    return file


def _write(file: Path, arrays: dict[str, np.ndarray]) -> None:
    made_folder(file.parent)
    write_bytes(file, npz_bytes(arrays))


def _table(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    pool, test = fixed_test_split(y, min(TEST_SAMPLES, round(_TESTED * len(y))))
    return {"x": x[pool], "y": y[pool], "x_test": x[test], "y_test": y[test]}


def _images(classes: tuple[int, ...], pool: int | None) -> dict[str, np.ndarray]:
    from overmix.study.data import load_dataset

    whole = load_dataset("fashion_mnist")
    x, y = _part(whole.x.numpy(), whole.y.numpy(), classes)
    x_test, y_test = _part(whole.x_test.numpy(), whole.y_test.numpy(), classes)
    if pool is not None:
        _, kept = fixed_test_split(y, pool)
        x, y = x[kept], y[kept]
    _, tested = fixed_test_split(y_test, TEST_SAMPLES)
    return {"x": x, "y": y, "x_test": x_test[tested], "y_test": y_test[tested]}


def _part(x: np.ndarray, y: np.ndarray, classes: tuple[int, ...]) -> LabelledTable:
    """Return the images of some classes at half the resolution, and their places among these classes."""
    rows = np.isin(y, classes)
    small = x[rows].reshape(-1, 1, 14, 2, 14, 2).mean(axis=(3, 5))
    return np.round(small).astype(np.uint8), np.searchsorted(np.array(classes), y[rows])
