"""``overmix census``: which recipes over-train, and what helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from overmix.cli.options import PartOption, say_part_is_done, shard_of


def census(
    recipes: Annotated[
        str | None, typer.Option("--recipes", help="Names of recipes or rows, with commas between; all by default.")
    ] = None,
    scale: Annotated[
        Literal["smoke", "laptop"], typer.Option("--scale", help="smoke: seconds, shows only that it runs.")
    ] = "laptop",
    systems: Annotated[
        bool, typer.Option("--systems", help="The methods on small but real systems of their fields, instead.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder, one file per row [runs/census, or runs/systems]; what is there is not run again.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes; the results do not depend on it.")] = 2,
    shard: PartOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")] = False,
) -> None:
    """Measure every recipe on a task of its own kind: does it over-train, and what does switching it off gain?

    For each one, over 12 seeds: plain training, the recipe all along, switched off at a log grid of epochs, and
    AutoSwitch. It goes on where an earlier run stopped. `--systems` (extra `systems`) takes larger tasks, as the fields
    of the methods have them, with 5 or 8 seeds and a baseline of the field beside. For example:

    ```
    overmix census --recipes Mixup,CMixup
    overmix census --systems --recipes MixCo
    overmix census --scale smoke --json
    ```
    """
    from overmix.cli.progress import JobProgress
    from overmix.experiments.census.rows import SMALL_TASKS
    from overmix.experiments.census.run import run_census
    from overmix.experiments.census.systems.rows import SYSTEMS

    console = Console(stderr=as_json, emoji=False)
    chosen = None if recipes is None else [name.strip() for name in recipes.split(",") if name.strip()]
    collection, part = SYSTEMS if systems else SMALL_TASKS, shard_of(shard)
    folder = out or collection.folder(scale)
    with JobProgress(console, collection.name) as progress:
        rows = run_census(
            folder,
            scale,
            chosen,
            workers,
            tell=progress.say,
            progress=progress.tell,
            collection=collection,
            shard=part,
        )
    if part is not None:
        say_part_is_done(console, part)
        return
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    console.print(_table(rows))


def _table(rows: list[dict[str, Any]]) -> Table:
    from overmix.experiments.census.cells import SHORT

    table = Table(
        title="Test metric at the end, lower is better; mean over seeds", box=box.SIMPLE, padding=(0, 1, 0, 0)
    )
    for column in SHORT:
        table.add_column(column, justify="left" if column in ("row", "verdict") else "right")
    for row in rows:
        table.add_row(*(cell(row) for cell in SHORT.values()))
    return table
