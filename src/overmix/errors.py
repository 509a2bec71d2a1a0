"""The errors that overmix raises on purpose.

Each one is a single line that names the field, the value and the remedy, and is raised before any work starts. The
command line prints it without a traceback and exits with code 2. :class:`WorkerFault` is the exception: a fault of
overmix itself, for which the command line exits with code 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OvermixError(Exception):
    """Base of every error that overmix raises on purpose."""


class ConfigError(OvermixError, ValueError):
    """A setting has a value that cannot work.

    Args:
        field: where the setting stands, as the user wrote it (``"data.train_size"``, ``"alpha"``).
        value: the value found.
        remedy: what to do, in the imperative.

    Example:
        >>> str(ConfigError("alpha", -1.0, "use a number >= 0"))
        'alpha = -1.0: use a number >= 0'
    """

    def __init__(self, field: str, value: object, remedy: str) -> None:
        super().__init__(f"{shortened(field)} = {shortened(repr(value))}: {remedy}")
        self.field, self.value, self.remedy = field, value, remedy


_LONGEST = 160


def shortened(text: str) -> str:
    """Return text whose middle is left out where a line would drown in it.

    Example:
        >>> shortened("x" * 200_000) == "x" * 80 + "..." + "x" * 80
        True
    """
    return text if len(text) <= 2 * _LONGEST else f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"


class DataError(OvermixError, ValueError):
    """Data that cannot be trained on, or a batch that cannot be mixed."""


class CheckpointError(OvermixError):
    """A saved training that cannot be read without running its code, cannot be read at all, or does not fit."""


class RunDirectoryError(OvermixError):
    """A place for results that cannot be used: not writable; a run directory that is locked, foreign or not its own."""


class StudyInterrupted(OvermixError):
    """The user stopped; what is finished is on disk, and the checkpoints of what is not."""


class WorkerFault(Exception):
    """A worker process came upon something that nobody foresaw.

    Args:
        message: what, in one line.
        details: its traceback there.
    """

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details


class MissingExtraError(OvermixError, ImportError):
    """A package that belongs to an extra is not installed.

    Example:
        >>> str(MissingExtraError("polars", "study"))
        "polars is not installed: pip install 'overmix[study]'"
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'overmix[{extra}]'")
        self.package, self.extra = package, extra


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a remedy that names the nearest known name, or lists them all.

    Example:
        >>> did_you_mean("Mixpu", ["Mixup", "NoMixup"])
        'did you mean Mixup? known: Mixup, NoMixup'
    """
    known = sorted(known)
    lowered = {k.lower(): k for k in known}
    nearest = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    hint = f"did you mean {lowered[nearest[0]]}? " if nearest else ""
    return f"{hint}known: {', '.join(known)}"
