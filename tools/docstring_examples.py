"""Lets the documentation show an ``Example:`` of a docstring as what it is, Python and its output.

The parser of docstrings knows ``Examples:`` only, and takes anything else for prose: ``>>>`` for a quotation, and a
list of numbers for a link that leads nowhere.
"""

# griffe comes with the extra docs, the type checker with dev.
# mypy: ignore-errors

from __future__ import annotations

import re
from typing import Any

import griffe

_HEADING = re.compile(r"^Example:$", re.MULTILINE)


class ExamplesAreCode(griffe.Extension):
    """Renames the heading before the docstring is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of a module, class, function or attribute."""
        if obj.docstring:
            obj.docstring.value = _HEADING.sub("Examples:", obj.docstring.value)
