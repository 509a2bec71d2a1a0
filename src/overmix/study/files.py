"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from overmix.errors import RunDirectoryError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a power failure, sees the old one or the new one, never a part.

    The content goes to a temporary file in the same folder, is forced to the disk, and takes the name.

    Raises:
        RunDirectoryError: if the folder is full or cannot be written; the old file is still there then.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        remedy = "free some space or choose another --out" if error.errno == 28 else "choose another --out"
        raise RunDirectoryError(f"{path}: it cannot be written ({error.strerror}): {remedy}") from None


def write_json(path: Path, content: Any) -> None:
    """Write JSON with two spaces of indentation and keys as they come; NaN is refused, use ``None``."""
    write_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        RunDirectoryError: if it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"{path}: it cannot be read ({error}): choose another --out") from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for writing; the operating system lets go of it if the process dies.

    Raises:
        RunDirectoryError: if another process holds it.
    """
    path = folder / ".lock"
    with path.open("a+") as file:
        if not _try_lock(file.fileno()):
            raise RunDirectoryError(
                f"{folder}: another overmix process is writing here: wait for it, or choose another --out"
            )
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Force the new name to the disk, where the system lets folders be opened."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
