"""The command line."""

from __future__ import annotations

import sys

from overmix.errors import MissingExtraError


def main() -> None:
    """Run the command line; the entry point ``overmix``."""
    try:
        from overmix.cli.app import run
    except ModuleNotFoundError as error:
        # Only the core is installed: say what is missing instead of showing a traceback.
        print(f"overmix: {MissingExtraError(error.name or 'a package', 'study')}", file=sys.stderr)
        sys.exit(2)
    sys.exit(run(sys.argv[1:]))
