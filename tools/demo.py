"""The demo's picture and numbers in README and docs.

    overmix demo
    python -m tools demo --keep overmix-demo

``results/demo.json`` keeps the summary that the numbers come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overmix.report import readme_figure
from overmix.report.numbers import percent, points_range
from overmix.study import load_result, summary_to_json
from overmix.study.store.files import read_json, write_bytes, write_json
from tools.generated import Generated, Texts
from tools.marked import Part

RESULT, PAGE, FIGURE = Path("results/demo.json"), Path("README.md"), Path("docs/demo.png")
MEANING = Path("docs/statistics.md")
PART = Part("demo numbers", "demo")


def numbers(summary: Mapping[str, Any]) -> str:
    """Return the demo's result as Markdown: one row per condition, and where it comes from."""
    lines = [
        f"| digits, 200 training samples | error at the end | lowest | at epoch | [depth of the U]({MEANING}) "
        f"| [verdict]({MEANING}) |",
        "|---|---|---|---|---|---|",
    ]
    for row in summary["conditions"]:
        name = f"{row['name']} (plain training)" if row["role"] == "erm" else row["name"]
        lines.append(
            f"| {name} | **{percent(row['final_error'])}** {_interval(row['final_error_ci'])} "
            f"| {percent(row['lowest_error'])} | {row['turning_epoch']} "
            f"| {percent(row['depth'])} {_interval(row['depth_ci'])} | {row['verdict']} |"
        )
    versions = summary["versions"]
    seeds = summary["conditions"][0]["n_seeds"]
    lines += [
        "",
        f"Mean of {seeds} seeds on {summary['n_test']:,} test samples, 95 % intervals over seeds and test samples; "
        f"overmix {versions['overmix']}, torch {versions['torch']}, {versions['cpu']}.",
    ]
    return "\n".join(lines)


def _interval(ci: Sequence[float] | None) -> str:
    return "" if ci is None else f"[{points_range(ci[0], ci[1], digits=1)}]"


def texts(root: Path) -> Texts:
    """Return the README."""
    text = (root / PAGE).read_text(encoding="utf-8")
    return {PAGE: PART.within(text, numbers(read_json(root / RESULT)))}


def keep(run: Path, root: Path) -> None:
    """Take the summary of a run directory of the demo, and draw its picture."""
    result = load_result(run)
    # Timings are this machine's and this moment's; they are no result.
    summary = {key: value for key, value in summary_to_json(result.summary).items() if key != "elapsed_seconds"}
    summary["conditions"] = [{k: v for k, v in row.items() if k != "seconds"} for row in summary["conditions"]]
    write_json(root / RESULT, summary)
    write_bytes(root / FIGURE, readme_figure(result))


DEMO = Generated("demo", texts, keep=keep)
