"""``overmix reproduce``: every experiment of the paper."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape

from overmix.cli.options import PartOption, say_part_is_done, shard_of

if TYPE_CHECKING:
    from overmix.study.plan.shards import Shard


def reproduce(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An experiment; --list names them.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the experiments and their claims, and leave.")] = False,
    scale: Annotated[
        Literal["smoke", "laptop", "gpu", "paper"],
        typer.Option(
            "--scale",
            help="smoke: seconds, shows only that it runs; laptop: minutes; gpu: minutes on one; paper: a GPU's days.",
        ),
    ] = "laptop",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder [runs/reproduce/NAME-SCALE]; gone on with if it exists.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--setting", help="Only this setting; may be given again for others.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; results do not depend on it.")] = None,
    shard: PartOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text.")] = False,
) -> None:
    """Run an experiment of the paper, and judge its claims by rules that were written down before.

    It leaves a page, the numbers that decide and figures in the folder, and each study's own page in one below.
    The same command goes on where an earlier one stopped. For example:

    ```
    overmix reproduce --list
    overmix reproduce over-training --scale smoke
    overmix reproduce switching --scale laptop --json > switching.json
    ```
    """
    if listed:
        _list(as_json=as_json)
        return
    if name is None:
        raise typer.BadParameter("give a NAME, or --list")
    _run(name, scale, out, settings, workers, shard_of(shard), as_json=as_json)


def _run(
    name: str,
    scale: Literal["smoke", "laptop", "gpu", "paper"],
    out: Path | None,
    settings: list[str] | None,
    workers: int | None,
    shard: Shard | None,
    *,
    as_json: bool,
) -> None:
    from overmix.cli.progress import StudyProgress
    from overmix.experiments.reproduce.catalogue import experiment
    from overmix.experiments.reproduce.run import Watcher, run_experiment, run_shard_of_experiment
    from overmix.study.spec.schema import StudySpec

    console = Console(stderr=as_json, emoji=False)
    folder = out or Path("runs/reproduce") / f"{experiment(name).name}-{scale}"

    def watch(spec: StudySpec, where: Path) -> AbstractContextManager[Watcher]:
        return StudyProgress(console, spec.name, where)

    def say(line: str) -> None:
        console.print(line, markup=False)

    if shard is not None:
        run_shard_of_experiment(name, scale, folder, shard, settings=settings, workers=workers, watch=watch, say=say)
        say_part_is_done(console, shard)
        return
    result = run_experiment(name, scale, folder, settings=settings, workers=workers, watch=watch, say=say)
    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return
    _show(result, console)
    if scale == "smoke":
        console.print("Smoke: the verdicts mean nothing; it runs.")
    console.print(f"Page: {escape(str(folder / 'report.html'))}", highlight=False, soft_wrap=True)


def _show(result: dict[str, Any], console: Console) -> None:
    """Print each claim with its verdict and the numbers that decide."""
    from overmix.experiments.reproduce.check import Check
    from overmix.experiments.reproduce.claims import claim_of
    from overmix.experiments.reproduce.words import in_words

    checks = {setting["key"]: setting["checks"] for setting in result["settings"]}
    console.print(f"[bold]{escape(result['title'])}[/]")
    for row in result["verdicts"]:
        claim = claim_of(result["name"], row["claim"])
        numbers = [in_words(Check.from_dict(check)) for check in checks[row["setting"]][row["claim"]]]
        console.print(f"\n[bold]{row['verdict']}[/] ({row['setting']}): {escape(claim.text)} ({claim.provenance})")
        for number in numbers:
            console.print(f"    {escape(number)}", highlight=False)


def _list(*, as_json: bool) -> None:
    from overmix.experiments.reproduce.catalogue import EXPERIMENTS
    from overmix.experiments.reproduce.claims import CLAIMS

    if as_json:
        content = [
            {
                "name": entry.name,
                "title": entry.title,
                "settings": {scale: [setting.key for setting in entry.at(scale)] for scale in entry.scales},
                "claims": [
                    {"text": claim.text, "provenance": claim.provenance, "rule": claim.rule}
                    for claim in CLAIMS
                    if claim.experiment == entry.name
                ],
            }
            for entry in EXPERIMENTS
        ]
        print(json.dumps(content, indent=2, ensure_ascii=False))
        return
    console = Console(emoji=False, highlight=False)
    for entry in EXPERIMENTS:
        console.print(f"[bold]{entry.name}[/]: {escape(entry.title)}")
        for claim in CLAIMS:
            if claim.experiment == entry.name:
                console.print(f"    {escape(claim.text)} ({claim.provenance})")
        for scale in entry.scales[1:]:
            console.print(f"    {scale}: {', '.join(setting.key for setting in entry.at(scale))}", style="dim")
