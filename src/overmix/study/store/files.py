"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from overmix.errors import RunDirectoryError
from overmix.files.regular_file import open_regular
from overmix.study.store.seal import is_intact, sealed_json

LOCK_NAME = ".lock"
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a power failure, sees the old one or the new one, never a part.

    The content goes to a temporary file in the same folder, is forced to the disk, and takes the name.

    Raises:
        RunDirectoryError: if the folder is full or cannot be written; the old file is still there then.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        remedy = "free some space, or choose another folder" if error.errno in _FULL else "choose another folder"
        raise RunDirectoryError(f"{path}: it cannot be written ({error.strerror or error}): {remedy}") from None
    finally:
        # Gone already, unless something went wrong; Ctrl-C counts.
        with contextlib.suppress(OSError):
            temporary.unlink()
    _sync_folder(path.parent)


def is_temporary(path: Path) -> bool:
    """Return whether a file is what :func:`write_bytes` leaves behind if its process is killed."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def remove_temporaries(folder: Path) -> None:
    """Delete what killed processes left behind; call it while the folder is locked."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if is_temporary(path):
            with contextlib.suppress(OSError):
                path.unlink()


def json_bytes(content: Any) -> bytes:
    """Return JSON with two spaces of indentation and keys as they come; NaN is refused, use ``None``."""
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_json(path: Path, content: Any) -> None:
    """Write the JSON of :func:`json_bytes`."""
    write_bytes(path, json_bytes(content))


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        RunDirectoryError: if it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return json.loads(file.read())
    except RecursionError:
        raise RunDirectoryError(f"{path}: it is nested too deeply: choose another folder") from None
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"{path}: it cannot be read ({error}): choose another folder") from None


def write_sealed_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with a seal, see :mod:`overmix.study.store.seal`."""
    write_bytes(path, sealed_json(content))


def read_sealed_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds beside its seal.

    Raises:
        RunDirectoryError: if it cannot be read, or was changed since it was written.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not is_intact_file(path):
        raise RunDirectoryError(f"{path}: it was changed or damaged since it was written: choose another folder")
    return {key: value for key, value in content.items() if key != "seal"}


def read_whole_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds beside its seal; one of an earlier version, without a seal, is read too.

    Raises:
        RunDirectoryError: if it cannot be read, or was changed since it was written.
    """
    content = read_json(path)
    return content if isinstance(content, dict) and "seal" not in content else read_sealed_json(path)


def is_whole_json(path: Path) -> bool:
    """Return whether :func:`read_whole_json` reads a file."""
    try:
        read_whole_json(path)
    except RunDirectoryError:
        return False
    return True


def is_intact_file(path: Path) -> bool:
    """Return whether a file is there as it was sealed."""
    try:
        with open_regular(path) as file:
            return is_intact(file.read())
    except OSError:
        return False


def set_aside(path: Path, out: Path) -> Path:
    """Move a damaged file out of the way, into the folder ``damaged`` of what it belongs to; return where it is now."""
    folder = out / "damaged"
    try:
        make_folder(folder)
        aside = folder / f"{path.parent.name}-{path.name}"
        path.replace(aside)
    except OSError as error:
        raise RunDirectoryError(f"{path}: it is damaged, and cannot be moved ({error.strerror}): delete it") from None
    return aside


def make_folder(folder: Path) -> None:
    """Make a folder of a run directory, unless it is there; a link is not followed, as it leads out of the directory.

    Raises:
        RunDirectoryError: if it cannot be made, or is a link.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(
            f"{folder}: it cannot be made ({error.strerror or error}): choose another --out"
        ) from None
    if folder.is_symlink():
        raise RunDirectoryError(f"{folder}: it is a link to another folder: choose another --out, or remove it")


@contextlib.contextmanager
def locked(folder: Path, *, beside_others: bool = False) -> Iterator[None]:
    """Hold a folder for writing; the operating system lets go of it if the process dies.

    Args:
        folder: that which must be there.
        beside_others: hold it together with others that say so too, each of which writes files of its own.

    Raises:
        RunDirectoryError: if another process holds it, or it cannot be locked.
    """
    try:
        # A link is not followed: it would make a file wherever it leads to.
        file = open(folder / LOCK_NAME, "a+", opener=lambda path, flags: os.open(path, flags | _NO_LINKS, 0o666))
    except OSError as error:
        raise RunDirectoryError(
            f"{folder}: it cannot be locked ({error.strerror or error}): choose another --out"
        ) from None
    with file:
        _lock(file.fileno(), folder, beside_others=beside_others)
        yield


def _lock(descriptor: int, folder: Path, *, beside_others: bool) -> None:
    try:
        if os.name == "nt":
            import msvcrt

            # Windows knows no lock that is shared: there, each shard needs a folder of its own.
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, (fcntl.LOCK_SH if beside_others else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            message = "another overmix process is writing here: wait for it, or choose another --out"
        else:
            message = f"this file system cannot lock files ({error.strerror or error}): choose another --out"
        raise RunDirectoryError(f"{folder}: {message}") from None


def _sync_folder(folder: Path) -> None:
    """Force the new name to the disk, where the system can do that for folders.

    Where it cannot, a power failure may bring the old file back, whole.
    """
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
