"""``overmix demo``, ``run`` and ``switch``: studies, from the file to the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from overmix.cli.options import AllowCode, AsJson, OpenPage, Out, StudyFile, Workers, run_directory
from overmix.cli.pages import tell_page

if TYPE_CHECKING:
    from overmix.study import StudySpec


def demo(
    out: Out = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few seconds instead of two minutes; shows no U.")] = False,
    workers: Workers = None,
    open_page: OpenPage = False,
    as_json: AsJson = False,
) -> None:
    """Show the U-shaped curve of Mixup, and the cure, on real images of digits (about two minutes).

    Trains ERM, Mixup, and Mixup switched to ERM, over 16 seeds, and writes a page to look at. For example:

    ```
    overmix demo
    overmix demo --quick --json
    ```
    """
    name = "tiny" if quick else "demo"

    def read() -> StudySpec:
        from importlib.resources import as_file, files

        from overmix.study import read_study

        with as_file(files("overmix.study") / "studies" / f"{name}.yaml") as path:
            return read_study(path)

    folder = out or Path("overmix-demo-quick" if quick else "overmix-demo")
    _run_and_report(name, read, folder, workers, as_json=as_json, open_page=open_page)


def run_command(
    spec: StudyFile,
    out: Out = None,
    workers: Workers = None,
    allow_code: AllowCode = False,
    other_machine: Annotated[
        bool, typer.Option("--other-machine", help="Go on with a run directory of another machine or version.")
    ] = False,
    open_page: OpenPage = False,
    as_json: AsJson = False,
) -> None:
    """Run a study, or what is still missing of it, and write its page.

    A study file can be as short as this; every key has a default, and `overmix init` writes one for your data:

    ```
    data: {name: digits, train_size: 200}
    train: {epochs: 200}
    seeds: 5
    ```

    The command goes on where an earlier one stopped, and adds seeds and conditions to a finished study. For example:

    ```
    overmix run study.yaml
    overmix run study.yaml --open
    overmix run study.yaml --out runs/first --workers 2
    overmix run study.yaml --json > summary.json
    ```
    """

    def read() -> StudySpec:
        from overmix.study import read_study

        return read_study(spec, allow_code=allow_code)

    folder = out or run_directory(spec, switch=False)
    _run_and_report(
        spec.stem,
        read,
        folder,
        workers,
        as_json=as_json,
        allow_code=allow_code,
        other_machine=other_machine,
        open_page=open_page,
    )


def switch_command(
    spec: StudyFile,
    out: Out = None,
    workers: Workers = None,
    allow_code: AllowCode = False,
    open_page: OpenPage = False,
    as_json: AsJson = False,
) -> None:
    """Find out when to switch Mixup off in a study: its mixing condition, switched off on a log grid of epochs.

    Beside the grid it trains ERM, Mixup to the end, the condition that decides by itself, and what else might help:
    weight decay, and half the budget. The page shows final error against switch epoch. For example:

    ```
    overmix switch study.yaml
    overmix switch study.yaml --out runs/when --json > summary.json
    ```
    """

    def read() -> StudySpec:
        from overmix.study import plan_study, read_study, sweep_study

        asked = read_study(spec, allow_code=allow_code)
        # First, so that errors name what the user wrote, not what is made from it.
        plan_study(asked, allow_code=allow_code)
        return sweep_study(asked)

    folder = out or run_directory(spec, switch=True)
    _run_and_report(spec.stem, read, folder, workers, as_json=as_json, allow_code=allow_code, open_page=open_page)


def _run_and_report(
    name: str,
    read: Callable[[], StudySpec],
    out: Path,
    workers: int | None,
    *,
    as_json: bool,
    allow_code: bool = False,
    other_machine: bool = False,
    open_page: bool = False,
) -> None:
    from overmix.cli.progress import StudyProgress

    # With --json standard output belongs to the script that reads it.
    console = Console(stderr=as_json, emoji=False)
    pages: list[Path] = []
    with StudyProgress(console, name, out) as progress:
        progress.stage("checking the study and its data")
        from overmix.cli.tables import summary_table
        from overmix.report import write_report
        from overmix.study import StudyResult, run_study, summary_to_json

        def show(result: StudyResult) -> None:
            progress.stage("writing the page")
            pages.append(write_report(result, out).page)

        study = read()
        if workers is not None:
            study = study.model_copy(update={"executor": study.executor.model_copy(update={"workers": workers})})
        progress.name = study.name
        summary = run_study(
            study,
            out,
            allow_code=allow_code,
            other_machine=other_machine,
            on_start=progress.start,
            tell=progress.tell,
            on_trained=lambda: progress.stage("computing the statistics"),
            show=show,
        )
    if as_json:
        print(json.dumps(summary_to_json(summary), indent=2, ensure_ascii=False))
    else:
        console.print(summary_table(summary))
        console.print(Text(summary.advice.sentence, style="bold"))
        if summary.advice.note:
            console.print(Text(summary.advice.note, style="dim"))
    tell_page(pages[0], console, show=open_page)
