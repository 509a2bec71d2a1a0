"""``overmix switch --fair``: trials of every arm, then the study that compares the tuned ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from overmix.cli.driving import finish_study, shown_again, with_workers
from overmix.cli.options import run_directory

if TYPE_CHECKING:
    from overmix.study import StudySpec


def run_fair(
    spec: Path, out: Path | None, workers: int | None, *, allow_code: bool, open_page: bool, as_json: bool
) -> None:
    """Run the trials of all arms, unless nothing has changed, and the study that compares the tuned ones."""
    from overmix.study.store.receipt import request_of

    folder = out or run_directory(spec, "fair")
    request = None if allow_code else request_of("switch --fair", spec, workers=workers)
    if shown_again(folder, request, as_json=as_json, open_page=open_page):
        return
    console = Console(stderr=as_json, emoji=False)
    study = _tuned(spec, trials_directory(folder), workers, console, allow_code=allow_code)
    finish_study(
        spec.stem,
        lambda: study,
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
        trials = with_workers(fair_trials(asked), workers)
        # All of them, without the verdicts and differences of a page that nobody reads.
        whole = Shard(1, 1)
        run_shard(trials, out, whole, allow_code=allow_code, on_start=progress.start, tell=progress.tell)
        return fair_study(asked, choose_settings(asked, load_cells(out)))
