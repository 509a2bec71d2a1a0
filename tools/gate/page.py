"""The table of the gate in the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overmix.study.store.files import read_json
from tools.generated import Generated, Texts
from tools.marked import Part

RESULT, PAGE = Path("results/gate.json"), Path("docs/gate.md")
PART = Part("gate", "gate")
COLUMNS = ("fork", "spawn")


def table(result: Mapping[str, Any]) -> str:
    """Return the result as Markdown: right samples of all samples, of both datasets."""
    rows = result["rows"]
    lines = [
        "| framework | workers | live through epochs | " + " | ".join(COLUMNS) + " |",
        "|---|---|---|" + "---|" * len(COLUMNS),
    ]
    seen = []
    for row in rows:
        key = row["framework"], row["workers"], row["persistent"]
        if key in seen:
            continue
        seen.append(key)
        alike = [one for one in rows if (one["framework"], one["workers"], one["persistent"]) == key]
        cells = [_cell([one for one in alike if one["start"] in (start, "")]) for start in COLUMNS]
        lives = "" if row["workers"] == 0 else ("yes" if row["persistent"] else "no")
        lines.append(f"| {row['framework']} | {row['workers']} | {lives} | {' | '.join(cells)} |")
    datasets = " and ".join(dict.fromkeys(row["dataset"] for row in rows))
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    lines += [
        "",
        f"Right samples of all, {datasets} together; passes over the data: {result['passes']}; {versions}.",
        "",
    ]
    for name, one in result["controls"].items():
        error = f"; then: `{one['error']}`" if one["error"] else ""
        lines.append(f"- For comparison, {name}: {one['right']} of {one['samples']}{error}.")
    return "\n".join(lines)


def _cell(rows: Sequence[Mapping[str, Any]]) -> str:
    return f"{sum(row['right'] for row in rows)} of {sum(row['samples'] for row in rows)}"


def texts(root: Path) -> Texts:
    """Return ``docs/gate.md``."""
    return {PAGE: PART.within((root / PAGE).read_text(encoding="utf-8"), table(read_json(root / RESULT)))}


GATE = Generated("gate", texts)
