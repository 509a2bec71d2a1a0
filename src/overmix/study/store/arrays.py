"""Arrays on disk: npz with a seal in the archive's comment, which other readers pass over."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from overmix.errors import RunDirectoryError
from overmix.files.regular_file import open_regular
from overmix.study.store.seal import BLANK, has_seal, is_intact, sealed


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays as a sealed npz, which depends on nothing but them.

    Example:
        >>> content = npz_bytes({"x": np.zeros(3)})
        >>> is_intact(content), content == npz_bytes({"x": np.zeros(3)})
        (True, True)
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = BLANK.encode()
    return sealed(buffer.getvalue())


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file that :func:`npz_bytes` made; one of an earlier version, without a seal, is read too.

    Raises:
        RunDirectoryError: if it cannot be read, or was changed since it was written.
    """
    try:
        with open_regular(path) as file:
            content = file.read()
        if has_seal(content) and not is_intact(content):
            raise ValueError("its seal is broken")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise RunDirectoryError(f"{path}: it was changed or damaged since it was written ({error})") from None


def is_whole_npz(path: Path) -> bool:
    """Return whether a file is as it was written; without a seal, the checksums of its arrays tell."""
    try:
        read_npz(path)
    except RunDirectoryError:
        return False
    return True
