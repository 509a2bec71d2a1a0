"""A piece of the documentation that is written from result files, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Texts = Mapping[Path, str]
"""Whole documents by their path in the checkout."""

Pictures = Mapping[Path, bytes]
"""PNG files by their path in the checkout."""


def no_pictures(root: Path) -> Pictures:
    """Return nothing: there are no pictures, or they are drawn from runs, when these are kept."""
    return {}


@dataclass(frozen=True)
class Generated:
    """What ``python -m tools NAME`` writes.

    Every function is given the root of the checkout; nothing is written elsewhere.

    Args:
        name: of the command.
        texts: returns the documents as they should be.
        pictures: returns the pictures that belong to them.
        keep: takes a run's folder, and writes of it what is kept in ``results/``; None where the program that measures
            writes there itself.
    """

    name: str
    texts: Callable[[Path], Texts]
    pictures: Callable[[Path], Pictures] = no_pictures
    keep: Callable[[Path, Path], None] | None = None

    def outdated(self, root: Path) -> list[Path]:
        """Return the documents that are not what would be written."""
        return [path for path, text in self.texts(root).items() if _read(root / path) != text]


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
