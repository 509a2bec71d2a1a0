"""Ctrl-C, and the SIGTERM that schedulers send before they kill: both stop a command, at whatever moment they come."""

from __future__ import annotations

import signal
from types import FrameType

_stopped_by: int | None = None


def listen() -> None:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt from now on, and remember which of them came."""
    global _stopped_by
    _stopped_by = None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def deafen() -> None:
    """Ignore both: the command is done, and Python's way out must not print a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def stopped() -> int | None:
    """Return the exit code that says by which signal the command was stopped, None if by none: 130 after Ctrl-C.

    An interrupt inside of an import or of compiled code may come out as another exception, or not at all.
    """
    return None if _stopped_by is None else 128 + _stopped_by


def _stop(number: int, frame: FrameType | None) -> None:
    global _stopped_by
    _stopped_by = number
    raise KeyboardInterrupt
