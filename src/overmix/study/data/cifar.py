"""CIFAR-10 and CIFAR-100: 60,000 photographs, 32 by 32 pixels in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overmix.errors import DataError
from overmix.study.data.cifar_python import read_python_batch
from overmix.study.data.dataset import Dataset, image_dataset
from overmix.study.data.places import Fetch, find_folder
from overmix.study.data.published import check_files

SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_HOME = "https://www.cs.toronto.edu/~kriz/"

_Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Layout:
    """How one of the two sets is published: its folders, its files (the test batch last), the labels of an image."""

    title: str
    num_classes: int
    binary_folder: str
    binary_files: tuple[str, ...]
    python_folder: str
    python_files: tuple[str, ...]
    python_labels: str
    label_bytes: int
    archive: str
    archive_md5: str


_CIFAR10 = _Layout(
    title="CIFAR-10",
    num_classes=10,
    binary_folder="cifar-10-batches-bin",
    binary_files=(*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"),
    python_folder="cifar-10-batches-py",
    python_files=(*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"),
    python_labels="labels",
    label_bytes=1,
    archive="cifar-10-binary.tar.gz",
    archive_md5="c32a1d4ab5d03f1284b67883e8d87530",
)
_CIFAR100 = _Layout(
    title="CIFAR-100",
    num_classes=100,
    binary_folder="cifar-100-binary",
    binary_files=("train.bin", "test.bin"),
    python_folder="cifar-100-python",
    python_files=("train", "test"),
    python_labels="fine_labels",
    label_bytes=2,  # coarse, then fine
    archive="cifar-100-binary.tar.gz",
    archive_md5="03b5dce01913d631647c71ecec9e9cb8",
)


def cifar10(path: str = "", download: bool = False) -> Dataset:
    """Return images of shape (3, 32, 32), uint8, ten classes: 50,000 in the pool, 10,000 for testing.

    Both published forms are read: the binary one, and the Python one, which torchvision downloads; the latter without
    trust in it, see :func:`~overmix.study.data.cifar_python.read_python_batch`.

    Args:
        path: folder of the files, or the one that holds their folder; by default ``data``.
        download: fetch the binary form (160 MB) into that folder if neither form is there; needs torchvision.

    Raises:
        ConfigError: if the files are not found, or cannot be fetched.
        DataError: if a file is damaged, or holds another number of images than the published one (files that all hold
            fewer than 5,000 may be of any size, the training files of one size).
        MissingExtraError: if torchvision is needed and not installed.

    Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    return _read(_CIFAR10, "cifar10", path, download)


def cifar100(path: str = "", download: bool = False) -> Dataset:
    """Return images of shape (3, 32, 32), uint8, with the 100 fine classes: 50,000 in the pool, 10,000 for testing.

    Arguments, errors and source are those of :func:`cifar10`.
    """
    return _read(_CIFAR100, "cifar100", path, download)


def _read(layout: _Layout, name: str, path: str, download: bool) -> Dataset:
    root = Path(path).expanduser() if path else Path("data")
    folder = find_folder(
        layout.title,
        [root, root / layout.binary_folder, root / layout.python_folder],
        holds=lambda place: _has(place, layout.binary_files) or _has(place, layout.python_files),
        download=_download_into(root, layout) if download else None,
        remedy=f"unpack {_HOME}{layout.archive} there",
    )
    if _has(folder, layout.binary_files):
        batches = {folder / file: read_binary_batch(folder / file, layout.label_bytes) for file in layout.binary_files}
    else:
        batches = {
            folder / file: read_python_batch(folder / file, layout.python_labels, SHAPE) for file in layout.python_files
        }
    *parts, _ = batches
    check_files(batches, [50_000 // len(parts)] * len(parts) + [10_000], equal=parts)
    *train, test = batches.values()
    x, y = (np.concatenate(arrays) for arrays in zip(*train, strict=True))
    return image_dataset(name, folder, (x, y), test, layout.num_classes)


def _has(folder: Path, files: Sequence[str]) -> bool:
    return all((folder / file).is_file() for file in files)


def read_binary_batch(path: Path, label_bytes: int) -> _Arrays:
    """Return images (n, 3, 32, 32) and labels (n,) of a binary file: per image its labels, then its pixels.

    Args:
        path: the file.
        label_bytes: number of labels; the last one counts.

    Raises:
        DataError: if it cannot be read, or is no whole number of records long.
    """
    try:
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"data.path {path}: it cannot be read ({error.strerror}): fetch it again") from None
    record = label_bytes + _PIXELS
    if len(content) == 0 or len(content) % record:
        raise DataError(f"data.path {path}: {len(content)} bytes are no records of {record} bytes: fetch it again")
    records = content.reshape(-1, record)
    return records[:, label_bytes:].reshape(-1, *SHAPE), records[:, label_bytes - 1].astype(np.int64)


def _download_into(root: Path, layout: _Layout) -> Fetch:
    def download() -> None:
        from torchvision.datasets.utils import download_and_extract_archive

        download_and_extract_archive(_HOME + layout.archive, str(root), md5=layout.archive_md5)

    return download
