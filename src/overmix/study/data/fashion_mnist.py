"""Fashion-MNIST: 70,000 images of clothes, 28 by 28 pixels."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from overmix.errors import DataError
from overmix.study.data.dataset import Dataset, image_dataset
from overmix.study.data.places import Fetch, find_folder

_FILES = {
    "x": "train-images-idx3-ubyte",
    "y": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def fashion_mnist(path: str = "", download: bool = False) -> Dataset:
    """Return images of shape (1, 28, 28), uint8: 60,000 in the pool, 10,000 for testing.

    Args:
        path: folder of the four ``-ubyte`` files, gzipped or not, or the one that torchvision was given; by default
            the place of Debian's package, then ``data``.
        download: let torchvision fetch the files into that folder if they are not there.

    Raises:
        ConfigError: if they are not found, or cannot be fetched.
        DataError: if a file is damaged.
        MissingExtraError: if torchvision is needed and not installed.

    Source: H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms", 2017.
    """
    roots = [Path(path).expanduser()] if path else [_DEBIAN, Path("data")]
    folder = find_folder(
        "Fashion-MNIST",
        [place for root in roots for place in (root, root / "FashionMNIST" / "raw")],
        holds=lambda folder: all(_file(folder, name).exists() for name in _FILES),
        download=_download_into(roots[-1]) if download else None,
        remedy="apt-get install dataset-fashion-mnist",
    )
    arrays = {name: read_idx(_file(folder, name)) for name in _FILES}
    for name, array in arrays.items():
        if array.ndim != (3 if name.startswith("x") else 1):
            raise DataError(f"data.path {_file(folder, name)}: it has shape {array.shape}: fetch it again")
    return image_dataset(
        "fashion_mnist",
        folder,
        (arrays["x"][:, None], arrays["y"]),
        (arrays["x_test"][:, None], arrays["y_test"]),
        num_classes=10,
    )


def read_idx(path: Path) -> np.ndarray:
    """Return the array in a file of LeCun's idx format with unsigned bytes, gzipped or not.

    Raises:
        DataError: if it is none, or is shorter or longer than it says.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"data.path {path}: it cannot be read ({error}): fetch it again") from None
    # Two zero bytes, the type (8: unsigned byte), the number of dimensions, then each dimension as a big-endian int32.
    header = 4 + 4 * content[3] if len(content) >= 4 else 4
    if content[:3] != b"\0\0\x08" or len(content) < header:
        raise DataError(f"data.path {path}: it is no idx file of unsigned bytes: fetch it again")
    shape = tuple(int(size) for size in np.frombuffer(content[4:header], dtype=">u4"))
    if len(content) - header != math.prod(shape):
        raise DataError(
            f"data.path {path}: it has {len(content) - header} values, but says shape {shape}: fetch it again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape).copy()


def _file(folder: Path, name: str) -> Path:
    """Return the path of one of the four files; of the gzipped one, unless the plain one is there."""
    plain = folder / _FILES[name]
    return plain if plain.exists() else plain.with_name(f"{plain.name}.gz")


def _download_into(root: Path) -> Fetch:
    def download() -> None:
        from torchvision.datasets import FashionMNIST

        FashionMNIST(str(root), download=True)

    return download
