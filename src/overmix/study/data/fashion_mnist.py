"""Fashion-MNIST: 70,000 images of clothes, 28 by 28 pixels."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from overmix.errors import ConfigError, DataError, MissingExtraError
from overmix.study.data.dataset import Dataset, dataset_of

_FILES = {
    "x": "train-images-idx3-ubyte",
    "y": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_PLACES = (
    Path("/usr/share/datasets/fashion-mnist"),  # Debian's package dataset-fashion-mnist
    Path("data/FashionMNIST/raw"),  # torchvision's layout
)


def fashion_mnist(path: str = "", download: bool = False) -> Dataset:
    """Return images of shape (1, 28, 28), uint8: 60,000 in the pool, 10,000 for testing.

    Args:
        path: folder of the four ``-ubyte`` files, gzipped or not; by default the places where Debian's package and
            torchvision put them.
        download: let torchvision fetch them into ``./data`` if they are not there.

    Raises:
        ConfigError: if they are not found.
        DataError: if a file is damaged.

    Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
    2017.
    """
    folder = _find(path)
    if folder is None and download and not path:
        _download()
        folder = _find(path)
    if folder is None:
        raise ConfigError(
            "data.path",
            path or ", ".join(map(str, _PLACES)),
            "Fashion-MNIST is not there: apt-get install dataset-fashion-mnist, or set download: true, or name its "
            "folder",
        )
    arrays = {name: read_idx(_existing(folder, file)) for name, file in _FILES.items()}
    for images, labels in (("x", "y"), ("x_test", "y_test")):
        if len(arrays[images]) != len(arrays[labels]) or arrays[images].ndim != 3 or arrays[labels].ndim != 1:
            raise DataError(f"data.path {folder}: {_FILES[images]} and {_FILES[labels]} do not belong together")
    return dataset_of(
        "fashion_mnist", arrays["x"][:, None], arrays["y"], arrays["x_test"][:, None], arrays["y_test"], num_classes=10
    )


def read_idx(path: Path) -> np.ndarray:
    """Read a file in LeCun's idx format with unsigned bytes, gzipped or not.

    Raises:
        DataError: if it is none, or is shorter or longer than it says.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"data.path {path}: it cannot be read ({error}): fetch it again") from None
    # Two zero bytes, the type (8: unsigned byte), the number of dimensions, then each dimension as a big-endian int32.
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError(f"data.path {path}: it is no idx file of unsigned bytes: fetch it again")
    ndim = content[3]
    shape = tuple(int(size) for size in np.frombuffer(content[4 : 4 + 4 * ndim], dtype=">u4"))
    values = np.frombuffer(content, dtype=np.uint8, offset=min(len(content), 4 + 4 * ndim))
    if len(shape) != ndim or values.size != np.prod(shape):
        raise DataError(f"data.path {path}: it has {values.size} values, but says shape {shape}: fetch it again")
    return values.reshape(shape).copy()


def _find(path: str) -> Path | None:
    places = (Path(path),) if path else _PLACES
    return next((place for place in places if all(_exists(place, file) for file in _FILES.values())), None)


def _exists(folder: Path, file: str) -> bool:
    return (folder / file).exists() or (folder / f"{file}.gz").exists()


def _existing(folder: Path, file: str) -> Path:
    return folder / file if (folder / file).exists() else folder / f"{file}.gz"


def _download() -> None:
    try:
        from torchvision.datasets import FashionMNIST
    except ImportError:
        raise MissingExtraError("torchvision", "vision") from None
    for train in (True, False):
        FashionMNIST("data", train=train, download=True)
