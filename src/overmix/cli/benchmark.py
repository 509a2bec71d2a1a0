"""``overmix benchmark``: which policy switches best."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

benchmark = typer.Typer(no_args_is_help=True, help="Measure policies on many trainings.", rich_markup_mode="markdown")


@benchmark.callback()
def _root() -> None:
    """Measure policies on many trainings."""


@benchmark.command("switch")
def switch_command(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the records; what is there is not trained again.")
    ] = Path("runs/switch_benchmark"),
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    only_recorded: Annotated[bool, typer.Option("--only-recorded", help="Judge what is recorded; train nothing.")] = (
        False
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")] = False,
) -> None:
    """Compare switching policies with the best possible switch, over data sets, models and schedules (about an hour).

    Every training is recorded once: its curves, a probe at every switch epoch of a grid, and how the run ends that is
    switched there; and a first run on a part of the samples, for policies without a validation set. Policies are then
    replayed on the records. For example:

    ```
    overmix benchmark switch
    overmix benchmark switch --only-recorded --json > switch.json
    ```
    """
    from overmix.cli.progress import JobProgress
    from overmix.experiments.switch_benchmark.evaluate import evaluate
    from overmix.experiments.switch_benchmark.recording import record_all

    console = Console(stderr=as_json, emoji=False)
    if not only_recorded:
        with JobProgress(console, "recording") as progress:
            record_all(out, workers=workers, tell=progress.tell)
    table = evaluate(out)
    if as_json:
        print(json.dumps(table, indent=2))
        return
    for split in ("fresh", "reported on", "chosen on"):
        if rows := [row for row in table["policies"] if row["split"] == split]:
            console.print(_table(split, rows))
    for what, cells in (("", table["missing"]), (" without a validation set", table["missing_first_runs"])):
        if cells:
            console.print(f"Not recorded yet{what}: {', '.join(cells)}", markup=False)


def _table(split: str, rows: list[dict[str, float | str]]) -> Table:
    table = Table(title=f"Regret against the best switch; data sets: {split}")
    numbers = ("cells", "regret", "largest", "over ERM, Mixup", "worse", "cost", "most", "early", "late")
    for column in ("policy", *numbers):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for row in rows:
        table.add_row(
            str(row["policy"]),
            str(row["cells"]),
            f"{100 * float(row['regret']):.1f} %",
            f"{100 * float(row['regret_max']):.1f} %",
            f"{100 * float(row['over_best_plain']):.1f}",
            str(row["worse_than_erm"]),
            f"{float(row['cost']):.2f}",
            f"{float(row['cost_max']):.2f}",
            f"{100 * float(row['early']):.0f} %",
            f"{100 * float(row['late']):.0f} %",
        )
    return table
