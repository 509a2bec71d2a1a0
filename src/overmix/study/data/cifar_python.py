"""The Python form of CIFAR, which is a pickle, read without letting it run anything."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from overmix.errors import DataError


def read_python_batch(path: Path, labels: str, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, *shape) and labels (n,) of a file of CIFAR's Python form.

    A pickle may name any function and have it called, so overmix writes none and reads none but these, which most
    people have on disk since torchvision downloads them. Here a pickle can build text, numbers, lists, dictionaries and
    arrays of bytes; a file that names anything else is refused before it is called.

    Args:
        path: the file.
        labels: the entry that holds the labels.
        shape: of an image; the file holds it flat.

    Raises:
        DataError: if the file is damaged, or holds anything but a batch.
    """
    try:
        with path.open("rb") as file:
            batch = _BytesOnly(file, encoding="latin1").load()
        pixels = batch["data"].read()
        classes = batch[labels]
    except Exception as error:
        # Damaged pickles raise almost anything.
        raise DataError(f"data.path {path}: it is no batch of CIFAR ({_told(error)}): fetch it again") from None
    size = math.prod(shape)
    if pixels.ndim != 2 or pixels.shape[1] != size:
        raise DataError(f"data.path {path}: its data have shape {pixels.shape}, not (n, {size}): fetch it again")
    if not (isinstance(classes, list) and all(type(label) is int and 0 <= label < 256 for label in classes)):
        raise DataError(f"data.path {path}: its {labels} are no list of small integers: fetch it again")
    return pixels.reshape(-1, *shape), np.array(classes, dtype=np.int64)


class _BytesOnly(pickle.Unpickler):
    """Knows the four names that a pickled array of bytes needs.

    They stand for classes of our own: NumPy's would take over a damaged state, and be broken by it.
    """

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case (("numpy.core.multiarray" | "numpy._core.multiarray"), "_reconstruct"):
                return _Array
            case "numpy", "ndarray":
                return None  # only ever an argument of _reconstruct
            case "numpy", "dtype":
                return _Dtype
            case "_codecs", "encode":
                return _latin1  # how Python 3 writes bytes for Python 2
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


class _Array:
    """Stands for an array while its file is read."""

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def read(self) -> np.ndarray:
        """Return the array."""
        _, shape, dtype, is_fortran, content = self.state
        if not isinstance(dtype, _Dtype) or dtype.code not in ("u1", "|u1") or is_fortran:
            raise pickle.UnpicklingError("its data are not rows of bytes")
        # Python 2 wrote a byte string, which arrives here as text.
        raw = content.encode("latin1") if isinstance(content, str) else content
        return np.frombuffer(raw, dtype=np.uint8).reshape(shape)


class _Dtype:
    """Stands for an array's dtype while its file is read."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and the like: a byte has none."""


def _latin1(text: str, _: object) -> bytes:
    return text.encode("latin1")


def _told(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
