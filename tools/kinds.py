"""What metrics' names tell, in the documentation: the table that ``overmix diagnose --metrics`` prints.

python -m tools kinds
"""

from __future__ import annotations

from pathlib import Path

from overmix.diagnose.logs import describe_kinds
from tools.generated import Generated, Texts
from tools.marked import Part

PAGE = Path("docs/diagnose.md")
PART = Part("kinds", "kinds")


def table() -> str:
    """Return the kinds as Markdown, in the order in which a name's words decide."""
    header, *rows = describe_kinds()
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def texts(root: Path) -> Texts:
    """Return ``docs/diagnose.md``."""
    return {PAGE: PART.within((root / PAGE).read_text(encoding="utf-8"), table())}


KINDS = Generated("kinds", texts)
