"""SVHN: 99,289 photographs of house numbers, 32 by 32 pixels in colour, cropped to one digit each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from overmix.errors import DataError
from overmix.study.data.dataset import Dataset, image_dataset
from overmix.study.data.places import Fetch, find_folder
from overmix.study.data.published import check_files

_FILES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}


def svhn(path: str = "", download: bool = False) -> Dataset:
    """Return images of shape (3, 32, 32), uint8, ten classes: 73,257 in the pool, 26,032 for testing.

    Class c is the digit c (the files number the digit zero 10). The 531,131 easier images of the "extra" file are not
    used.

    Args:
        path: folder of ``train_32x32.mat`` and ``test_32x32.mat``; by default ``data``, ``data/svhn`` or ``data/SVHN``.
        download: let torchvision fetch them into that folder (250 MB) if they are not there.

    Raises:
        ConfigError: if the files are not found, or cannot be fetched.
        DataError: if a file is damaged, or holds another number of images than the published one (files that both hold
            fewer than 5,000 may be of any size).
        MissingExtraError: if torchvision is needed and not installed.

    Source: Y. Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature Learning", 2011.
    """
    root = Path(path).expanduser() if path else Path("data")
    folder = find_folder(
        "SVHN",
        [root, root / "svhn", root / "SVHN"],
        holds=lambda place: all((place / file).is_file() for file in _FILES.values()),
        download=_download_into(root) if download else None,
    )
    batches = {folder / file: read_mat(folder / file) for file in _FILES.values()}
    check_files(batches, [73_257, 26_032])
    train, test = batches.values()
    return image_dataset("svhn", folder, train, test, num_classes=10)


def read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 3, 32, 32) and labels (n,) of one of SVHN's files.

    Raises:
        DataError: if it is damaged, or holds anything but images and labels.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(str(path), variable_names=["X", "y"])
    except Exception as error:
        # Damaged files make the reader raise almost anything.
        raise DataError(f"data.path {path}: it cannot be read ({error}): fetch it again") from None
    x, y = content.get("X"), content.get("y")
    if x is None or x.dtype != np.uint8 or x.ndim != 4 or x.shape[:3] != (32, 32, 3):
        raise DataError(f"data.path {path}: X is no array of bytes of shape (32, 32, 3, n): fetch it again")
    if y is None or y.dtype.kind not in "iuf" or y.size != x.shape[3]:
        raise DataError(f"data.path {path}: y does not hold one label per image: fetch it again")
    labels = y.reshape(-1).astype(np.int64)
    if ((labels < 1) | (labels > 10)).any():
        raise DataError(f"data.path {path}: it has labels outside of 1..10: fetch it again")
    return x.transpose(3, 2, 0, 1), labels % 10


def _download_into(root: Path) -> Fetch:
    def download() -> None:
        from torchvision.datasets import SVHN

        for split in _FILES:
            SVHN(str(root), split=split, download=True)

    return download
