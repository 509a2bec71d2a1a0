"""The benchmark's findings, picture and tables in the documentation.

overmix benchmark switch --out results/switch_benchmark         # records what is missing there
python -m tools switch --pictures --keep results/switch_benchmark
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overmix.experiments.switch_benchmark.evaluate import evaluate
from overmix.report.numbers import percent, points
from overmix.study.store.files import read_json, write_json
from tools.generated import Generated, Pictures, Texts
from tools.marked import Part
from tools.switch_benchmark.figure import picture
from tools.switch_benchmark.findings import findings, interval
from tools.switch_benchmark.names import OURS, SPLITS

RESULT = Path("results/switch.json")
PAGE, FIGURE = Path("docs/switch.md"), Path("docs/switch.png")
PICTURE = (
    f"![Mean regret of policies against their cost, a frame for each split; the tables have numbers]({FIGURE.name})"
)
PART = Part("benchmark", "switch")


def content(result: Mapping[str, Any]) -> str:
    """Return what is written into the page: findings, picture, tables, all of them from the same numbers."""
    seeds = sorted({cell["seeds"] for cell in result["cells"]})
    made_of = f"{len(result['cells'])} trainings, with {' or '.join(map(str, seeds))} seeds each."
    return "\n".join(["", made_of, "", *findings(result), "", PICTURE, "", tables(result), ""])


def tables(result: Mapping[str, Any]) -> str:
    """Return the tables as Markdown: policies per split, then AutoSwitch per cell."""
    parts = []
    for split, (title, _) in SPLITS.items():
        rows = [row for row in result["policies"] if row["split"] == split]
        if rows:
            parts += [f"### {title}", "", f"{rows[0]['cells']} trainings.", "", *_policies(rows), ""]
    parts += ["### AutoSwitch, training by training", "", *_cells(result)]
    if result["missing_first_runs"]:
        parts += ["", f"Not recorded without a validation set: {', '.join(result['missing_first_runs'])}."]
    if result["missing"]:
        parts += ["", f"Not recorded: {', '.join(result['missing'])}."]
    return "\n".join(parts)


def _policies(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| policy | mean regret | largest | over the better of ERM and Mixup | worse than ERM | cost | largest cost "
        "| too early | too late | needless |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        name = f"**{row['policy']}**" if row["policy"] in OURS else row["policy"]
        lines.append(
            f"| {name} | {percent(row['regret'])} {interval(row['regret_ci'])} "
            f"| {percent(row['regret_max'])} | {points(row['over_best_plain'], 1)} "
            f"| {row['worse_than_erm']} of {row['cells']} | {row['cost']:.2f} | {row['cost_max']:.2f} "
            f"| {100 * row['early']:.0f} % | {100 * row['late']:.0f} % | {100 * row['needless']:.0f} % |"
        )
    return lines


def _cells(result: Mapping[str, Any]) -> list[str]:
    lines = [
        "| training | ERM | Mixup | best switch | AutoSwitch | its median switch | regret | cost "
        "| no validation set | its median switch | regret | cost |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    own, held_out = ({row["cell"]: row for row in result["rows"] if row["policy"] == name} for name in OURS)
    for cell in result["cells"]:
        errors = cell["error"]
        best = errors[cell["switch_epochs"].index(cell["oracle"])]
        lines.append(
            f"| {cell['name']} | {percent(errors[0])} | {percent(errors[-1])} | {percent(best)} at {cell['oracle']} "
            f"| {_own(own[cell['name']])} | {_own(held_out.get(cell['name']))} |"
        )
    return lines


def _own(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return " | | | "
    return f"{percent(row['error'])} | {row['switch_at']:g} | {percent(row['regret'])} | {row['cost']:.2f}"


def texts(root: Path) -> Texts:
    """Return ``docs/switch.md``."""
    return {PAGE: PART.within((root / PAGE).read_text(encoding="utf-8"), content(read_json(root / RESULT)))}


def pictures(root: Path) -> Pictures:
    """Return the picture of regret against cost."""
    return {FIGURE: picture(read_json(root / RESULT))}


def keep(records: Path, root: Path) -> None:
    """Judge all policies on the records of a folder (about a minute)."""
    write_json(root / RESULT, evaluate(records))


SWITCH = Generated("switch", texts, pictures, keep)
