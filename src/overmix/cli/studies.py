"""``overmix demo``, ``run`` and ``switch``: studies, from the file to the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from overmix.cli.driving import finish_study, show_summary, train_shard
from overmix.cli.fair import run_fair
from overmix.cli.options import (
    AllowCode,
    AsJson,
    Fair,
    OpenPage,
    Out,
    ShardOption,
    StudyFile,
    Workers,
    run_directory,
    shard_of,
)
from overmix.errors import ConfigError

if TYPE_CHECKING:
    from overmix.study import StudySpec
    from overmix.study.plan.shards import Shard


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
    from importlib.resources import as_file, files

    from overmix.study.store.receipt import request_of

    name = "tiny" if quick else "demo"
    folder = out or Path("overmix-demo-quick" if quick else "overmix-demo")
    with as_file(files("overmix.study") / "studies" / f"{name}.yaml") as path:

        def read() -> StudySpec:
            from overmix.study import read_study

            return read_study(path)

        request = request_of("demo", path, workers=workers)
        finish_study(name, read, folder, workers, as_json=as_json, request=request, open_page=open_page)


def run_command(
    spec: StudyFile,
    out: Out = None,
    workers: Workers = None,
    allow_code: AllowCode = False,
    other_machine: Annotated[
        bool, typer.Option("--other-machine", help="Go on with a run directory of another machine or version.")
    ] = False,
    shard: ShardOption = None,
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

    from overmix.study.store.receipt import request_of

    part = shard_of(shard)
    if part is not None:
        train_shard(
            read,
            out or _shard_directory(run_directory(spec), part),
            part,
            workers,
            allow_code=allow_code,
            other_machine=other_machine,
        )
        return
    folder = out or run_directory(spec)
    # Code of the user's own may do something else today.
    request = None if allow_code else request_of("run", spec, workers=workers, other_machine=other_machine)
    finish_study(
        spec.stem,
        read,
        folder,
        workers,
        as_json=as_json,
        allow_code=allow_code,
        other_machine=other_machine,
        request=request,
        open_page=open_page,
    )


def switch_command(
    spec: StudyFile,
    out: Out = None,
    workers: Workers = None,
    allow_code: AllowCode = False,
    fair: Fair = False,
    shard: ShardOption = None,
    open_page: OpenPage = False,
    as_json: AsJson = False,
) -> None:
    """Find out when to switch Mixup off in a study: its mixing condition, switched off on a log grid of epochs.

    Beside the grid it trains ERM, Mixup to the end, the condition that decides by itself, and what else might help:
    weight decay, and half the budget. The page shows final error against switch epoch.

    With `--fair` it is the baseline that a paper should report: weight decay and alpha of plain training, Mixup, Mixup
    switched off and AutoSwitch are tuned on held-out error with as many trials each, on seeds of their own; then the
    tuned four are compared on the test set. For example:

    ```
    overmix switch study.yaml
    overmix switch study.yaml --out runs/when --json > summary.json
    overmix switch study.yaml --fair
    ```
    """
    if fair:
        if shard is not None:
            raise ConfigError("--shard", shard, "leave it out: what --fair compares is known once all trials are done")
        run_fair(spec, out, workers, allow_code=allow_code, open_page=open_page, as_json=as_json)
        return

    def read() -> StudySpec:
        from overmix.study import plan_study, read_study, sweep_study

        asked = read_study(spec, allow_code=allow_code)
        # First, so that errors name what the user wrote, not what is made from it.
        plan_study(asked, allow_code=allow_code)
        return sweep_study(asked)

    from overmix.study.store.receipt import request_of

    part = shard_of(shard)
    if part is not None:
        train_shard(
            read, out or _shard_directory(run_directory(spec, "switch"), part), part, workers, allow_code=allow_code
        )
        return
    folder = out or run_directory(spec, "switch")
    request = None if allow_code else request_of("switch", spec, workers=workers)
    finish_study(
        spec.stem,
        read,
        folder,
        workers,
        as_json=as_json,
        allow_code=allow_code,
        request=request,
        open_page=open_page,
    )


def merge(
    directories: Annotated[list[Path], typer.Argument(help="Run directories of all shards of a study.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run directory of the whole study.")],
    allow_code: AllowCode = False,
    other_machine: Annotated[
        bool, typer.Option("--other-machine", help="Join shards of unequal machines or versions.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Join the shards of a study into one run directory, and write its page. Nothing is trained.

    The curves are those of one run of the whole study, byte for byte. For example:

    ```
    overmix run study.yaml --shard 1/2 --out runs/part-1
    overmix run study.yaml --shard 2/2 --out runs/part-2
    overmix merge runs/part-1 runs/part-2 --out runs/study
    ```
    """
    from overmix.report import write_report
    from overmix.study.run.merge import merge_study

    pages: list[Path] = []
    summary = merge_study(
        directories,
        out,
        allow_code=allow_code,
        other_machine=other_machine,
        show=lambda result: pages.append(write_report(result, out).page),
    )
    show_summary(Console(stderr=as_json, emoji=False), summary, pages[0], as_json=as_json)


def _shard_directory(whole: Path, shard: Shard) -> Path:
    """Return the run directory of a shard where none is named: each has one of its own."""
    return whole.with_name(f"{whole.name}-shard-{shard.number}-of-{shard.of}")
