"""The part of a document that is written by a command, between two markers."""

from __future__ import annotations

from pathlib import Path

from overmix.errors import OvermixError
from overmix.study.store.files import write_bytes


def with_part(text: str, begin: str, end: str, part: str) -> str:
    """Return a document with what stands between two markers written anew.

    Args:
        text: the document.
        begin: the marker before the part.
        end: the marker after it.
        part: what is to stand there.

    Raises:
        OvermixError: if a marker is not there.

    Example:
        >>> with_part("a <!-- b --> old <!-- e --> c", "<!-- b -->", "<!-- e -->", "new").splitlines()
        ['a <!-- b -->', 'new', '<!-- e --> c']
    """
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise OvermixError(f"the document lacks the markers {begin} and {end}")
    return f"{before}{begin}\n{part}\n{end}{after}"


def write_part(document: Path, begin: str, end: str, part: str) -> None:
    """Write the part of a file anew; the file is replaced at once, or not at all."""
    write_bytes(document, with_part(document.read_text(encoding="utf-8"), begin, end, part).encode())
