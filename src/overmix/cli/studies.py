"""``overmix demo``, ``run`` and ``switch``: studies, from the file to the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

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
from overmix.cli.pages import PAGE, show_page
from overmix.errors import ConfigError

if TYPE_CHECKING:
    from overmix.cli.progress import StudyProgress
    from overmix.study import Outlook, StudySpec, Summary
    from overmix.study.plan.shards import Shard
    from overmix.study.store.receipt import Request


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
        _finish(name, read, folder, workers, as_json=as_json, request=request, open_page=open_page)


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
        _run_shard(
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
    _finish(
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
        _run_fair(spec, out, workers, allow_code=allow_code, open_page=open_page, as_json=as_json)
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
        _run_shard(
            read, out or _shard_directory(run_directory(spec, "switch"), part), part, workers, allow_code=allow_code
        )
        return
    folder = out or run_directory(spec, "switch")
    request = None if allow_code else request_of("switch", spec, workers=workers)
    _finish(
        spec.stem,
        read,
        folder,
        workers,
        as_json=as_json,
        allow_code=allow_code,
        request=request,
        open_page=open_page,
    )


def _run_fair(
    spec: Path, out: Path | None, workers: int | None, *, allow_code: bool, open_page: bool, as_json: bool
) -> None:
    """Run the trials of all arms, unless nothing has changed, and the study that compares the tuned ones."""
    from overmix.study.store.receipt import is_unchanged, request_of

    folder = out or run_directory(spec, "fair")
    request = None if allow_code else request_of("switch --fair", spec, workers=workers)

    def read() -> StudySpec:
        raise AssertionError("a finished study is not read again")

    if request is None or not is_unchanged(folder, request):
        console = Console(stderr=as_json, emoji=False)
        study = _tuned(spec, trials_directory(folder), workers, console, allow_code=allow_code)

        def read() -> StudySpec:
            return study

    _finish(
        spec.stem,
        read,
        folder,
        workers,
        as_json=as_json,
        allow_code=allow_code,
        request=request,
        open_page=open_page,
    )


def trials_directory(out: Path) -> Path:
    """Return the run directory of the trials, beside that of the comparison."""
    return out.with_name(f"{out.name}-trials")


def _tuned(spec: Path, out: Path, workers: int | None, console: Console, *, allow_code: bool) -> StudySpec:
    """Run the trials, and return the study of the settings that they choose."""
    from overmix.cli.progress import StudyProgress

    with StudyProgress(console, f"{spec.stem}, trials", out) as progress:
        progress.stage("checking the study and its data")
        from overmix.study import choose_settings, fair_study, fair_trials, plan_study, read_study
        from overmix.study.analyse.result import load_cells
        from overmix.study.plan.shards import Shard
        from overmix.study.run.run_study import run_shard

        asked = read_study(spec, allow_code=allow_code)
        # First, so that errors name what the user wrote, not what is made from it.
        plan_study(asked, allow_code=allow_code)
        trials = _with_workers(fair_trials(asked), workers)
        # All of them, without the verdicts and differences of a page that nobody reads.
        whole = Shard(1, 1)
        run_shard(trials, out, whole, allow_code=allow_code, on_start=progress.start, tell=progress.tell)
        return fair_study(asked, choose_settings(asked, load_cells(out)))


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
    _show_summary(Console(stderr=as_json, emoji=False), summary, pages[0], as_json=as_json)


def _shard_directory(whole: Path, shard: Shard) -> Path:
    """Return the run directory of a shard where none is named: each has one of its own."""
    return whole.with_name(f"{whole.name}-shard-{shard.number}-of-{shard.of}")


def _run_shard(
    read: Callable[[], StudySpec],
    out: Path,
    shard: Shard,
    workers: int | None,
    *,
    allow_code: bool,
    other_machine: bool = False,
) -> None:
    from overmix.cli.progress import StudyProgress
    from overmix.study.run.run_study import run_shard

    console = Console(emoji=False)
    study = _with_workers(read(), workers)
    with StudyProgress(console, f"{study.name}, shard {shard}", out) as progress:
        run_shard(
            study,
            out,
            shard,
            allow_code=allow_code,
            other_machine=other_machine,
            on_start=progress.start,
            tell=progress.tell,
        )
    console.print(f"Shard {shard} is done; when all are: overmix merge DIR... --out OUT", highlight=False)


def _with_workers(study: StudySpec, workers: int | None) -> StudySpec:
    if workers is None:
        return study
    return study.model_copy(update={"executor": study.executor.model_copy(update={"workers": workers})})


def _finish(
    name: str,
    read: Callable[[], StudySpec],
    out: Path,
    workers: int | None,
    *,
    as_json: bool,
    request: Request | None,
    allow_code: bool = False,
    other_machine: bool = False,
    open_page: bool = False,
) -> None:
    """Show a study, run first unless it is finished and nothing that it came from has changed."""
    # With --json standard output belongs to the script that reads it.
    console = Console(stderr=as_json, emoji=False)
    summary = _finished(out, request, console)
    if summary is None:
        summary = _run(
            name,
            read,
            out,
            workers,
            console,
            allow_code=allow_code,
            other_machine=other_machine,
            request=request,
        )
    _show_summary(console, summary, out / PAGE, as_json=as_json)
    if open_page:
        show_page(out / PAGE, console)


def _finished(out: Path, request: Request | None, console: Console) -> Summary | None:
    from overmix.study.analyse.record_json import from_json
    from overmix.study.store.files import read_json
    from overmix.study.store.receipt import is_unchanged

    if request is None or not is_unchanged(out, request):
        return None
    summary = from_json(read_json(out / "summary.json"))
    console.print(
        f"{summary.name}: finished, and nothing has changed since; results are in {out}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return summary


def _run(
    name: str,
    read: Callable[[], StudySpec],
    out: Path,
    workers: int | None,
    console: Console,
    *,
    allow_code: bool,
    other_machine: bool,
    request: Request | None,
) -> Summary:
    from overmix.cli.progress import StudyProgress

    with StudyProgress(console, name, out) as progress:
        progress.stage("checking the study and its data")
        from overmix.report import write_report
        from overmix.study import StudyResult, run_study
        from overmix.study.spec.overrides import condition_parts
        from overmix.study.store.receipt import write_receipt

        def show(result: StudyResult) -> None:
            progress.stage("writing the page")
            write_report(result, out)

        study = _with_workers(read(), workers)
        progress.name = study.name
        summary = run_study(
            study,
            out,
            allow_code=allow_code,
            other_machine=other_machine,
            on_start=partial(_start, console, progress, study),
            tell=progress.tell,
            on_trained=lambda: progress.stage("computing the statistics"),
            show=show,
        )
    write_receipt(out, request, [condition_parts(study, condition)[0] for condition in study.compare])
    return summary


def _start(console: Console, progress: StudyProgress, study: StudySpec, outlook: Outlook) -> None:
    """Say what there is to do, and whose data are taken where the study, which is right, leaves that open."""
    progress.start(outlook)
    if "name" not in study.data.model_fields_set:
        console.print(_NO_DATA, markup=False, highlight=False, soft_wrap=True)


_NO_DATA = (
    "The study names no data: the built-in digits are taken. Your own: data: {name: npz, path: my-data.npz}, or "
    "overmix init my-data.csv --target outcome, which writes the study"
)


def _show_summary(console: Console, summary: Summary, page: Path, *, as_json: bool) -> None:
    if as_json:
        from overmix.study.analyse.record_json import to_json

        print(json.dumps(to_json(summary), indent=2, ensure_ascii=False))
        return
    from overmix.cli.tables import advice_lines, summary_table, tuned_lines

    console.print(summary_table(summary))
    for line in tuned_lines(summary):
        console.print(line)
    for line in advice_lines(summary.advice):
        console.print(line)
    if summary.advice.note:
        console.print(Text(summary.advice.note, style="dim"))
    console.print(f"Page: {page}", markup=False, highlight=False, soft_wrap=True)
