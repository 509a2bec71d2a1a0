"""The measured speeds in the documentation.

python benchmarks/study_speed.py --out results/study_speed.json
python benchmarks/mix_speed.py --out results/mix_speed.json
python benchmarks/loop_cost.py --out results/loop_cost.json
python benchmarks/finished_study.py study.yaml runs/search --out results/finished_study.json
python benchmarks/gpu.py --out results/gpu.json
python benchmarks/growth.py --out results/growth.json
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


def study_tables(study: Mapping[str, Any]) -> str:
    """Return the speed of studies against a loop, and where their time goes, as Markdown."""
    lines = [
        "| study | replica-steps/s | loop, steps/s | ratio | of the machine's limit | rounds |",
        "|---|---|---|---|---|---|",
    ]
    for name, setting in study["settings"].items():
        ratios, median = [row["ratio"] for row in setting["rows"]], setting["median"]
        lines.append(
            f"| {name} | {_rate(median['study'])} | {_rate(median['loop'])} | **{median['ratio']:.2f}** "
            f"({min(ratios):.2f} to {max(ratios):.2f}) | {median['of_limit']:.0%} | {len(ratios)} |"
        )
    lines += [
        "",
        f"Medians; {study['workers']} workers; {_versions(study['versions'])}.",
        "",
        "| where a stack's time goes | plans | batches | steps | looks | the steps' products alone | the steps at the "
        "limit |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, setting in study["settings"].items():
        spent = setting["profile"]
        shares = [f"{spent[part] / spent['whole']:.0%}" for part in ("plans", "batches", "steps", "looks")]
        of_steps = [f"{spent[part] / spent['steps']:.0%} of the steps" for part in ("products", "limit")]
        lines.append(f"| {' | '.join([name, *shares, *of_steps])} |")
    if any(setting["profile"]["limit"] > setting["profile"]["steps"] for setting in study["settings"].values()):
        lines += ["", "The limit is measured, at another moment than the steps: more than 100% is its noise."]
    return "\n".join(lines)


def growth_table(growth: Mapping[str, Any]) -> str:
    """Return how time and memory grow, one thing changed at a time, as Markdown."""
    base = ", ".join(f"{value:,} {name}" for name, value in growth["base"].items())
    lines = ["| what grows | to | µs a replica-step | seconds in all | peak memory, MiB |", "|---|---|---|---|---|"]
    for axis, rows in growth["axes"].items():
        lines += [
            f"| {axis} | {row['value']:,} | {row['microseconds']:,.0f} | {row['seconds']:.1f} | {row['mib']:.0f} |"
            for row in rows
        ]
    return "\n".join([*lines, "", f"The others stay at {base}. {_versions(growth['versions'])}."])


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def mixing_table(mix: Mapping[str, Any]) -> str:
    """Return the speed of mixing a batch as Markdown."""
    lines = [
        "| mixing 256 × 3 × 32 × 32 floats, one thread | median, ms | lowest | highest |",
        "|---|---|---|---|",
    ]
    for name, row in mix["rows"].items():
        lines.append(f"| {name} | {row['median_ms']:.2f} | {row['lowest_ms']:.2f} | {row['highest_ms']:.2f} |")
    lines += ["", f"{mix['rounds']} rounds; {_versions(mix['versions'])}."]
    return "\n".join(lines)


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def loop_table(loop: Mapping[str, Any]) -> str:
    """Return what a run costs in a user's own loop."""
    lines = ["| a user's loop | processor time of a step, against bare | steps |", "|---|---|---|"]
    lines += [f"| {name} | {row['ratio']:.2f} | {row['steps']} |" for name, row in loop["rows"].items()]
    measured = f"{loop['rounds']} rounds of {loop['epochs']} epochs; {_versions(loop['versions'])}."
    return "\n".join([*lines, "", measured])


def finished_table(finished: Mapping[str, Any]) -> str:
    """Return what a finished study costs to show."""
    rows = {
        "statistics after the training": finished["statistics_cpu_s"],
        "page and figures": finished["page_cpu_s"],
        "the same command again": finished["again_cpu_s"],
        "`overmix report` of it again": finished["report_cpu_s"],
        "`overmix explain floor`": finished["floor_cpu_s"],
    }
    lines = [
        f"| a search of {finished['conditions']} conditions, {finished['seeds']} seeds | processor seconds |",
        "|---|---|",
        *(f"| {name} | {seconds:.2f} |" for name, seconds in rows.items()),
        "",
        f"{_versions(finished['versions'])}.{_noted(finished)}",
    ]
    return "\n".join(lines)


def _noted(finished: Mapping[str, Any]) -> str:
    note = finished.get("note", "")
    return f" {note[:1].upper()}{note[1:]}." if note else ""


def gpu_table(gpu: Mapping[str, Any] | None) -> str:
    """Return what was measured on a GPU, or that nothing was."""
    if gpu is None:
        return "**GPU: not run.** `python benchmarks/gpu.py --out results/gpu.json` takes at most eight minutes."
    passed = sum(result == "passed" for result in gpu["checks"].values())
    failed = [f"{name}: {result}" for name, result in gpu["checks"].items() if result != "passed"]
    lines = [
        f"**{gpu['device']}**: {passed} of {len(gpu['checks'])} checks passed{''.join(f'; {one}' for one in failed)}.",
        "",
        "| model | replicas | replica-steps/s | loop, steps/s | ratio | memory, MiB |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['model']} | {row['replicas']} | {row['replica_steps_per_s']:,.0f} | {row['loop_steps_per_s']:,.0f} | "
        f"{row['ratio']:.2f} | {row['peak_mib']:,.0f} |"
        for row in gpu["stacks"]
    ]
    lines += ["", "| mixing 256 × 3 × 32 × 32 floats | µs |", "|---|---|"]
    lines += [f"| {name} | {taken:,.0f} |" for name, taken in (gpu["mixing_us"] or {}).items()]
    return "\n".join([*lines, "", f"{_versions(gpu['versions'])}."])


def texts(root: Path) -> Texts:
    """Return ``docs/speed.md``."""
    names = ("study_speed", "mix_speed", "loop_cost", "finished_study", "growth")
    study, mix, loop, finished, growth = (read_json(root / RESULTS / f"{name}.json") for name in names)
    gpu = root / RESULTS / "gpu.json"
    parts = [study_tables(study), mixing_table(mix), loop_table(loop), finished_table(finished), growth_table(growth)]
    parts.append(gpu_table(read_json(gpu) if gpu.exists() else None))
    return {PAGE: PART.within((root / PAGE).read_text(encoding="utf-8"), "\n\n".join(parts))}


SPEED = Generated("speed", texts)
