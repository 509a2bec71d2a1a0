"""Folders that people name for results: made, or refused in one line, and tried before the work they are to hold."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from overmix.errors import RunDirectoryError


def made_folder(folder: Path) -> Path:
    """Make a folder, and those that it lies in, unless it is there; return it.

    Raises:
        RunDirectoryError: if it cannot be made, or is something else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"{folder}: {_why_not(folder, error)}: choose another folder") from None
    return folder


def _why_not(folder: Path, error: OSError) -> str:
    if blocked := file_in_the_way(folder / "x"):
        return f"{blocked} is a file, no folder"
    link = next((part for part in (folder / "x").absolute().parents if _leads_nowhere(part)), None)
    return f"{link} is a link that leads nowhere" if link else f"it cannot be made ({_told(error)})"


def _leads_nowhere(path: Path) -> bool:
    return os.path.islink(path) and not os.path.exists(path)  # unlike Path's, False of a name that is too long


def file_in_the_way(path: Path) -> Path | None:
    """Return the part of a path that is a file where a folder would have to be."""
    return next((part for part in path.absolute().parents if os.path.exists(part) and not os.path.isdir(part)), None)


def check_writable(folder: Path, room: int = 0) -> None:
    """Try whether a file can be written in a folder, which is made for that; nothing of it is left behind.

    Args:
        folder: it need not be there.
        room: bytes that the result will take, where that is known.

    Example:
        >>> check_writable(Path("/dev/null/results"))
        Traceback (most recent call last):
        overmix.errors.RunDirectoryError: /dev/null/results: /dev/null is a file, no folder: choose another folder

    Raises:
        RunDirectoryError: if it cannot be made or written, or is full.
    """
    missing = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
    try:
        with tempfile.NamedTemporaryFile(prefix=".overmix-", dir=made_folder(folder)) as file:
            file.write(bytes(4096))  # a full disk has names left, and no room
            file.flush()
            os.fsync(file.fileno())
            free = shutil.disk_usage(folder).free
    except OSError as error:
        raise RunDirectoryError(f"{folder}: it cannot be written ({_told(error)}): choose another folder") from None
    finally:
        for place in missing:
            with contextlib.suppress(OSError):  # only what is empty goes
                place.rmdir()
    if free < room:
        need = f"{-(-room >> 20)} MiB are needed, {free >> 20} are free"
        raise RunDirectoryError(f"{folder}: {need}: free some space, or choose another folder")


def _told(error: OSError) -> str:
    return error.strerror or str(error)
