"""The table in ``docs/integrations.md``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overmix.study.store.files import read_json
from tools.generated import Generated, Texts
from tools.marked import Part

RESULTS, PAGE = Path("results/conformance.json"), Path("docs/integrations.md")
PART = Part("conformance", "conformance")
SOURCES = ("src/overmix/integrations", "tools/conformance")


def source_digest(root: Path) -> str:
    """Return a digest of the integrations' code and of the kit's: the table is of this code."""
    sha = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*.py")):
            sha.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()


def table(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown."""
    rows: Sequence[Mapping[str, Any]] = results["rows"]
    names = list(dict.fromkeys(row["integration"] for row in rows))
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    lines = [f"| | {' | '.join(settings)} |", f"|---{'|---' * len(settings)}|"]
    notes: dict[str, int] = {}
    for name in names:
        own = [row for row in rows if row["integration"] == name]
        cells = [_cell([row for row in own if row["setting"] == setting], notes) for setting in settings]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", *(f"{number}. {note}" for note, number in notes.items())]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return "\n".join([*lines, "", f"Trained with {versions}."])


def _cell(rows: Sequence[Mapping[str, Any]], notes: dict[str, int]) -> str:
    """Return how many of a cell's switches were equal, and numbers of notes."""
    trained = [row for row in rows if row["equal"] is not None]
    text = f"{sum(row['equal'] for row in trained)} of {len(trained)}" if trained else "–"
    said = dict.fromkeys(
        row["note"] if row["equal"] is None else f"{row['switch']}: {row['note']}"
        for row in rows
        if row["note"] and not row["equal"]
    )
    numbers = [str(notes.setdefault(note, len(notes) + 1)) for note in said]
    return text + (f" ({', '.join(numbers)})" if numbers else "")


def texts(root: Path) -> Texts:
    """Return ``docs/integrations.md``."""
    return {PAGE: PART.within((root / PAGE).read_text(encoding="utf-8"), table(read_json(root / RESULTS)))}


CONFORMANCE = Generated("conformance", texts)
