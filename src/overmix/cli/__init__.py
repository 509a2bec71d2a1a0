"""The command line."""

from __future__ import annotations

import contextlib
import os
import sys
import time

from overmix.cli.fault import FAULT, tell_fault
from overmix.cli.stopping import deafen, listen, stopped
from overmix.errors import MissingExtraError

_CLI_MODULES = ("typer", "rich")
"""Modules of the extra ``cli``, which is all that ``overmix diagnose`` and ``doctor`` need."""

_STUDY_MODULES = {
    "PIL": "pillow",
    "jinja2": "jinja2",
    "polars": "polars",
    "pydantic": "pydantic",
    "rich": "rich",
    "safetensors": "safetensors",
    "sklearn": "scikit-learn",
    "typer": "typer",
    "vl_convert": "vl-convert-python",
    "yaml": "PyYAML",
}
"""Modules of the extra ``study``, and the packages that they come in."""


STARTED = time.perf_counter()
"""When this process began, nearly: what it takes to be ready, a worker takes too."""


def main() -> None:
    """Run the command line; the entry point ``overmix``."""
    listen()
    try:
        code = _run()
    except BaseException:
        # Nobody else raises here but a signal, at a moment when nothing is there yet that could tell of it.
        if stopped() is None:
            raise
        code = stopped() or 0
    deafen()
    sys.exit(code)


def _run() -> int:
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no arrows gets question marks, not a traceback.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        from overmix.cli.app import run

        code = run(sys.argv[1:])
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module in _STUDY_MODULES:
            # Only the core is installed: say what is missing instead of showing a traceback.
            extra = "cli" if module in _CLI_MODULES and sys.argv[1:2] in (["diagnose"], ["doctor"]) else "study"
            print(f"overmix: {MissingExtraError(_STUDY_MODULES[module], extra)}", file=sys.stderr)
            code = 2
        else:
            tell_fault(error)
            code = FAULT
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone (head, a pager); that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
