"""Errors that come up in code of the user's own: told as theirs, with its traceback, and not as a fault of overmix."""

from __future__ import annotations

import contextlib
import site
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import overmix
from overmix.cli.stopping import stopped
from overmix.errors import ConfigError, OvermixError
from overmix.import_path import told


class OwnCodeError(ConfigError):
    """Code of the user's own, named by an import path, raised an error.

    Args:
        field: where the path stands.
        path: the import path.
        remedy: what was raised, and where.
        details: the traceback, from the first line of the user's code on.
    """

    def __init__(self, field: str, path: str, remedy: str, details: str) -> None:
        super().__init__(field, path, remedy)
        self.details = details


@contextlib.contextmanager
def blaming(field: str, path: str) -> Iterator[None]:
    """Tell an error that came up in the user's code as the user's; others pass as they are.

    Args:
        field: where the import path stands.
        path: the import path, or empty if no code of the user's runs.

    Raises:
        OwnCodeError: in the place of what the code raised.
    """
    try:
        yield
    except (OvermixError, MemoryError):
        raise
    except Exception as error:
        entered = _entered(error.__traceback__) if path and stopped() is None else None
        if entered is None:
            raise
        *_, last = (
            frame for frame in traceback.extract_tb(entered) if _is_own(frame.filename) or _is_ours(frame.filename)
        )
        if _is_ours(last.filename):  # which has errors of its own for what is misused
            raise
        where = f"{last.filename}, line {last.lineno}"
        remedy = f"{last.name} ({where}) raised {told(error)}: repair it, its traceback stands above"
        shown = "".join(traceback.format_exception(type(error), error, entered))
        raise OwnCodeError(field, path, remedy, shown) from error


def _entered(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback from where the user's code was entered on; None if it was not."""
    while trace is not None and not _is_own(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


_OVERMIX = Path(overmix.__file__).resolve().parent
_INSTALLED = tuple(
    Path(place).resolve()
    for place in (sysconfig.get_path("stdlib"), *site.getsitepackages(), site.getusersitepackages())
)
"""Folders of Python, and of what is installed."""


def _is_ours(filename: str) -> bool:
    return _lies_in(filename, (_OVERMIX,))


def _is_own(filename: str) -> bool:
    # What is of no file was made by Python, or by a library.
    return not filename.startswith("<") and not _lies_in(filename, (_OVERMIX, *_INSTALLED))


def _lies_in(filename: str, folders: tuple[Path, ...]) -> bool:
    parents = Path(filename).resolve().parents
    return any(folder in parents for folder in folders)
