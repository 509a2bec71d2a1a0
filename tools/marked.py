"""The part of a document that is written by a command, between two markers that name the command."""

from __future__ import annotations

from dataclasses import dataclass

from overmix.errors import OvermixError


@dataclass(frozen=True)
class Part:
    """A part of a document.

    Args:
        title: what the part is.
        command: what writes it, as one of ``python -m tools``.

    Example:
        >>> part = Part("speed", "speed")
        >>> part.begin
        '<!-- speed: begin (python -m tools speed) -->'
        >>> part.within(f"a {part.begin} old {part.end} c", "new").splitlines()[1:]
        ['new', '<!-- speed: end --> c']
    """

    title: str
    command: str

    @property
    def begin(self) -> str:
        """The marker before the part."""
        return f"<!-- {self.title}: begin (python -m tools {self.command}) -->"

    @property
    def end(self) -> str:
        """The marker after it."""
        return f"<!-- {self.title}: end -->"

    def within(self, document: str, content: str) -> str:
        """Return a document with what stands between the markers written anew.

        Raises:
            OvermixError: if a marker is not there.
        """
        before, opening, rest = document.partition(self.begin)
        _, closing, after = rest.partition(self.end)
        if not opening or not closing:
            raise OvermixError(f"the document lacks the markers {self.begin} and {self.end}")
        return f"{before}{self.begin}\n{content}\n{self.end}{after}"
