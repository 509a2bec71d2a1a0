"""Write the benchmark's table into the documentation, and its numbers into the results.

python -m overmix.experiments.switch_benchmark.page
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overmix.experiments.marked import write_part
from overmix.experiments.switch_benchmark.evaluate import evaluate
from overmix.study.files import write_json

RECORDS, RESULT, PAGE = Path("results/switch_benchmark"), Path("results/switch.json"), Path("docs/switch.md")
BEGIN = "<!-- benchmark: begin (python -m overmix.experiments.switch_benchmark.page) -->"
END = "<!-- benchmark: end -->"
OURS = ("AutoSwitch", "no validation set: AutoSwitch")


def tables(result: Mapping[str, Any]) -> str:
    """Return the tables as Markdown: policies per split, then AutoSwitch per cell."""
    parts = []
    for split, title in (
        ("fresh", "On data sets that nobody had looked at"),
        ("reported on", "On the data sets that nothing was chosen on, but that had been looked at"),
        ("chosen on", "On the data sets that policies and settings were chosen on"),
    ):
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
        "| policy | mean regret | largest | worse than ERM | cost | largest cost | too early | too late | needless |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["regret_ci"]
        name = f"**{row['policy']}**" if row["policy"] in OURS else row["policy"]
        lines.append(
            f"| {name} | {_percent(row['regret'])} [{100 * low:.1f} to {100 * high:.1f}] "
            f"| {_percent(row['regret_max'])} "
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
            f"| {cell['name']} | {_percent(errors[0])} | {_percent(errors[-1])} | {_percent(best)} at {cell['oracle']} "
            f"| {_own(own[cell['name']])} | {_own(held_out.get(cell['name']))} |"
        )
    return lines


def _own(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return " | | | "
    return f"{_percent(row['error'])} | {row['switch_at']:g} | {_percent(row['regret'])} | {row['cost']:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %".replace("-", "−")


def main() -> None:
    """Write ``results/switch.json`` and the tables in ``docs/switch.md`` of the current checkout."""
    result = evaluate(RECORDS)
    write_json(RESULT, result)
    write_part(PAGE, BEGIN, END, f"\n{tables(result)}\n")


if __name__ == "__main__":
    main()
