"""Faults of overmix itself: shown whole, and called what they are."""

from __future__ import annotations

import sys
import traceback

from overmix import __version__
from overmix.errors import WorkerFault

FAULT = 1
"""Exit code."""


def tell_fault(error: Exception) -> None:
    """Print the traceback and ask for a report; work that is finished is kept, as after any other end."""
    shown = error.details if isinstance(error, WorkerFault) else "".join(traceback.format_exception(error))
    what = str(error) if isinstance(error, WorkerFault) else f"{type(error).__name__}: {error}"
    print(
        f"{shown.rstrip()}\n\novermix: {what}\n"
        f"overmix: this is a fault of overmix {__version__}, not of what you gave: please report it with the traceback "
        "above and the command; what was finished is kept",
        file=sys.stderr,
    )
