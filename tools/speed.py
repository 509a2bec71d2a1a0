"""The measured speeds in the documentation.

python benchmarks/study_speed.py --out results/study_speed.json
python benchmarks/mix_speed.py --out results/mix_speed.json
python -m tools speed
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overmix.study.store.files import read_json
from tools.generated import Generated, Texts
from tools.marked import Part

RESULTS, PAGE = Path("results"), Path("docs/speed.md")
PART = Part("speed", "speed")


def tables(study: Mapping[str, Any], mix: Mapping[str, Any]) -> str:
    """Return both results as Markdown."""
    ratios = [row["ratio"] for row in study["rows"]]
    lines = [
        "| round | study, replica-steps/s | loop, steps/s | ratio | of the machine's limit |",
        "|---|---|---|---|---|",
    ]
    for number, row in enumerate(study["rows"], start=1):
        lines.append(
            f"| {number} | {row['study']:,.0f} | {row['loop']:,.0f} | {row['ratio']:.2f} | {row['of_limit']:.0%} |"
        )
    lines += [
        "",
        f"Median ratio **{study['median']['ratio']:.2f}**, {min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} "
        f"rounds; {_versions(study['versions'])}.",
        "",
        "| mixing 256 × 3 × 32 × 32 floats, one thread | median, ms | lowest | highest |",
        "|---|---|---|---|",
    ]
    for name, row in mix["rows"].items():
        lines.append(f"| {name} | {row['median_ms']:.2f} | {row['lowest_ms']:.2f} | {row['highest_ms']:.2f} |")
    lines += ["", f"{mix['rounds']} rounds; {_versions(mix['versions'])}."]
    return "\n".join(lines)


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def texts(root: Path) -> Texts:
    """Return ``docs/speed.md``."""
    study, mix = (read_json(root / RESULTS / f"{name}.json") for name in ("study_speed", "mix_speed"))
    return {PAGE: PART.within((root / PAGE).read_text(encoding="utf-8"), tables(study, mix))}


SPEED = Generated("speed", texts)
