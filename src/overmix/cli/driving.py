"""From a study that is read to its page: what is finished is shown, what is missing is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from overmix.cli.pages import PAGE, show_page

if TYPE_CHECKING:
    from overmix.cli.progress import StudyProgress
    from overmix.study import Outlook, StudySpec, Summary
    from overmix.study.plan.shards import Shard
    from overmix.study.store.receipt import Request


def train_shard(
    read: Callable[[], StudySpec],
    out: Path,
    shard: Shard,
    workers: int | None,
    *,
    allow_code: bool,
    other_machine: bool = False,
) -> None:
    """Train one part of a study; there is no page before all parts are joined."""
    from overmix.cli.progress import StudyProgress
    from overmix.study.run.run_study import run_shard

    console = Console(emoji=False)
    study = with_workers(read(), workers)
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


def with_workers(study: StudySpec, workers: int | None) -> StudySpec:
    """Return the study with so many workers, if that was asked for."""
    if workers is None:
        return study
    return study.model_copy(update={"executor": study.executor.model_copy(update={"workers": workers})})


def finish_study(
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
    if shown_again(out, request, as_json=as_json, open_page=open_page):
        return
    # With --json standard output belongs to the script that reads it.
    console = Console(stderr=as_json, emoji=False)
    summary = _run(
        name, read, out, workers, console, allow_code=allow_code, other_machine=other_machine, request=request
    )
    _show(console, summary, out, as_json=as_json, open_page=open_page)


def shown_again(out: Path, request: Request | None, *, as_json: bool, open_page: bool) -> bool:
    """Show a study that is finished, if nothing that it came from has changed, and say whether that was so."""
    from overmix.study.analyse.record_json import from_json
    from overmix.study.store.files import read_json
    from overmix.study.store.receipt import is_unchanged

    if request is None or not is_unchanged(out, request):
        return False
    summary = from_json(read_json(out / "summary.json"))
    console = Console(stderr=as_json, emoji=False)
    console.print(
        f"{summary.name}: finished, and nothing has changed since; results are in {out}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    _show(console, summary, out, as_json=as_json, open_page=open_page)
    return True


def _show(console: Console, summary: Summary, out: Path, *, as_json: bool, open_page: bool) -> None:
    show_summary(console, summary, out / PAGE, as_json=as_json)
    if open_page:
        show_page(out / PAGE, console)


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

        study = with_workers(read(), workers)
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


def show_summary(console: Console, summary: Summary, page: Path, *, as_json: bool) -> None:
    """Print what a study shows, as a table and sentences or as JSON, and where its page is."""
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
