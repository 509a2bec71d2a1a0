"""Puts the demo's picture and numbers into README and docs.

    overmix demo
    python -m overmix.experiments.readme overmix-demo

``results/demo.json`` keeps the summary that the numbers come from; a test holds the README against it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overmix.experiments.marked import write_part
from overmix.report import readme_figure
from overmix.report.numbers import percent, points_range
from overmix.study import load_result
from overmix.study.store.files import write_bytes, write_json

BEGIN = "<!-- demo numbers: begin (python -m overmix.experiments.readme) -->"
END = "<!-- demo numbers: end -->"


def numbers(summary: Mapping[str, Any]) -> str:
    """Return the demo's result as Markdown: one row per condition, and where it comes from."""
    lines = [
        "| digits, 200 training samples | error at the end | lowest | at epoch | depth of the U | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for row in summary["conditions"]:
        lines.append(
            f"| {row['name']} | **{percent(row['final_error'])}** {_interval(row['final_error_ci'])} "
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


def main() -> None:
    """Write README.md, docs/demo.png and results/demo.json in the current checkout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="run directory of the demo")
    result = load_result(parser.parse_args().directory)
    # Timings are this machine's and this moment's; they are no result.
    summary = {key: value for key, value in result.summary.items() if key != "elapsed_seconds"}
    summary["conditions"] = [{k: v for k, v in row.items() if k != "seconds"} for row in summary["conditions"]]
    write_json(Path("results/demo.json"), summary)
    write_bytes(Path("docs/demo.png"), readme_figure(result))
    write_part(Path("README.md"), BEGIN, END, numbers(summary))


if __name__ == "__main__":
    main()
