"""The simulated scheduler in the documentation.

python benchmarks/schedule.py --measure results/stack_times.json
python benchmarks/schedule.py results/stack_times.json --out results/schedule.json
python -m tools scale
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overmix.study.store.files import read_json
from tools.generated import Generated, Texts
from tools.marked import Part

RESULT, PAGE = Path("results/schedule.json"), Path("docs/scale.md")
PART = Part("schedule", "scale")
_WAYS = {"queue": "Ray", "shards": "shards"}


def tables(result: Mapping[str, Any]) -> str:
    """Return what is measured and assumed, and the two tables, as Markdown."""
    return "\n".join(
        [
            _premises(result),
            "",
            *_by_size(result["by_size"]),
            "",
            f"Hours until the last stack is done: the median of {result['draws']} draws, and 5 % to 95 % of them.",
            "",
            *_by_loss(result["by_loss"]),
        ]
    )


def _premises(result: Mapping[str, Any]) -> str:
    measured, assumed = result["measured"], result["assumed"]
    low, high = measured["off_the_assumed"]
    versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    return (
        f"Measured, on {measured['stacks']} stacks of two studies ({versions}): the longest takes "
        f"{measured['longest_over_mean']:.1f} times the mean of its study; a stack takes {low:.2f} to {high:.2f} times "
        f"what shards assume (runs × epochs); its result has {measured['result_kib']:,.0f} KiB, its checkpoint "
        f"{measured['checkpoint_kib']:,.0f} KiB. Assumed: a mean stack takes {assumed['mean_stack_hours']:g} h on a "
        "GPU, "
        f"which is lost once in {assumed['mtbf']:,.0f} h and replaced in {60 * assumed['away']:.0f} min; a checkpoint "
        f"is written every {3600 * assumed['checkpoint']:.0f} s; speeds differ by {assumed['spread']:.0%}, and "
        f"{assumed['slow']:.0%} of the GPUs run at half speed."
    )


def _by_size(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["| stacks | GPUs | by | hours | GPU-hours | of them used | GPUs lost |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        low, middle, high = row["hours"]
        lines.append(
            f"| {row['stacks']:,} | {row['gpus']:,} | {_WAYS[row['way']]} | {middle:,.1f} ({low:,.1f}–{high:,.1f}) | "
            f"{row['reserved_hours']:,.0f} | {row['used']:.0%} | {row['losses']:,.0f} |"
        )
    return lines


def _by_loss(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        f"| {rows[0]['stacks']:,} stacks on {rows[0]['gpus']:,} GPUs, each lost once in | a checkpoint every | hours "
        "| trained twice, GPU-hours |",
        "|---|---|---|---|",
    ]
    for row in rows:
        every = "none" if row["checkpoint_seconds"] is None else f"{row['checkpoint_seconds'] / 60:,.0f} min"
        lines.append(f"| {row['mtbf_hours']:,.0f} h | {every} | {row['hours'][1]:,.1f} | {row['lost_hours']:,.1f} |")
    return lines


def texts(root: Path) -> Texts:
    """Return ``docs/scale.md``."""
    return {PAGE: PART.within((root / PAGE).read_text(encoding="utf-8"), tables(read_json(root / RESULT)))}


SCALE = Generated("scale", texts)
