"""``overmix plan``: what a study will cost."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from overmix.cli import STARTED
from overmix.cli.options import AllowCode, StudyFile, run_directory

if TYPE_CHECKING:
    from overmix.study import StudySpec


def plan(
    spec: StudyFile,
    switch: Annotated[
        bool, typer.Option("--switch", help="Plan what `overmix switch` does with the study, not `overmix run`.")
    ] = False,
    fair: Annotated[bool, typer.Option("--fair", help="Plan what `overmix switch --fair` does with it.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run directory; what is finished in it costs nothing.")
    ] = None,
    allow_code: AllowCode = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")] = False,
) -> None:
    """Say what a study will cost before it starts: runs, steps, FLOPs, memory, disk, and time on this machine.

    It checks the study as `run` does (with `--switch` or `--fair` as `switch` does), and trains, judges and draws for a
    few seconds to see how fast this machine is; nothing is written. What is finished in the run directory is left out.
    For example:

    ```
    overmix plan study.yaml
    overmix plan study.yaml --switch
    overmix plan study.yaml --fair
    overmix plan study.yaml --json
    ```
    """
    with Console(stderr=True, emoji=False).status("checking the study, and trying how fast this machine is"):
        from overmix.study import plan_study, read_study, sweep_study

        study = read_study(spec, allow_code=allow_code)
        if switch or fair:
            plan_study(study, allow_code=allow_code)  # so that errors name what the user wrote
        if fair:
            costs = _fair_costs(study, out or run_directory(spec, "fair"), allow_code=allow_code)
        else:
            study = sweep_study(study) if switch else study
            costs = [_cost(study, out or run_directory(spec, "switch" if switch else ""), allow_code=allow_code)]
    if as_json:
        content = {"trials": costs[0], "comparison": costs[1]} if fair else costs[0]
        print(json.dumps(content, indent=2, ensure_ascii=False))
        return
    from overmix.study.plan.cost import as_rows

    for cost in costs:
        print(cost["name"])
        for name, value in as_rows(cost):
            print(f"  {name:<8}{value}")


def _fair_costs(study: StudySpec, out: Path, *, allow_code: bool) -> list[dict[str, Any]]:
    """Return the cost of the trials, and that of the comparison, of which the settings are not known yet."""
    from overmix.cli.fair import trials_directory
    from overmix.study import fair_study, fair_trials
    from overmix.study.spec.fair import untuned

    trials = _cost(fair_trials(study), trials_directory(out), allow_code=allow_code)
    return [trials, _cost(fair_study(study, untuned(study)), out, allow_code=allow_code)]


def _cost(study: StudySpec, out: Path, *, allow_code: bool) -> dict[str, Any]:
    """Return the cost of what is missing, with the time of all that a command does from its start to the page."""
    from overmix.report.closing import closing_time
    from overmix.study.plan.cost import plan_cost
    from overmix.study.store.directory import RunDirectory

    # What this process took to start, a worker takes too; the command itself and its workers start one after another.
    started = time.perf_counter() - STARTED
    directory = RunDirectory(out)
    cost = plan_cost(study, allow_code=allow_code, is_done=lambda task: directory.result_file(task).exists())
    closing = closing_time(study, cost["test_samples"])
    parts = {
        "start": 2 * started,
        "training": cost["seconds"] or 0.0,
        "statistics": closing.statistics,
        "page": closing.page,
    }
    return cost | {"seconds": sum(parts.values()), "seconds_of": parts}
