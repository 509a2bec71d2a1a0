"""Runs a study: what is missing is trained, then everything is summarised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from overmix.study.analyse.record import Summary
from overmix.study.analyse.result import StudyResult, write_results
from overmix.study.plan.cells import StackTask
from overmix.study.plan.fingerprint import fingerprint
from overmix.study.plan.study_plan import plan_study
from overmix.study.plan.workers import worker_count
from overmix.study.run.executor import run_local
from overmix.study.run.worker import CHECKPOINT_SECONDS, Progress
from overmix.study.spec.schema import StudySpec, resolved
from overmix.study.store.directory import RunDirectory
from overmix.study.store.files import locked


@dataclass(frozen=True)
class Outlook:
    """What there is to do, told before it is done.

    Args:
        tasks: all stacks.
        missing: those that are not finished yet.
        workers: processes that will be used.
    """

    tasks: list[StackTask]
    missing: list[StackTask]
    workers: int


def run_study(
    spec: StudySpec,
    out: Path,
    *,
    allow_code: bool = False,
    other_machine: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    on_start: Callable[[Outlook], None] | None = None,
    tell: Callable[[Progress], None] | None = None,
    on_trained: Callable[[], None] | None = None,
    show: Callable[[StudyResult], object] | None = None,
) -> Summary:
    """Train what is missing in a run directory and write curves and summary.

    Args:
        spec: the study.
        out: the run directory; made if it does not exist, gone on with if it holds this study.
        allow_code: whether models and recipes may come from an import path.
        other_machine: go on although the directory was begun under another fingerprint.
        checkpoint_seconds: how much work a killed process may lose, roughly.
        on_start: called once, before the first training.
        tell: called with each worker's progress.
        on_trained: called once, after the last training, before what the study shows is computed.
        show: called with the result while no other process may write there, to write a report of it.

    Returns:
        What the study shows; :func:`overmix.study.summary_to_json` writes it as ``summary.json`` has it.

    Raises:
        OvermixError: for anything that the user can mend; nothing half written is left behind.
    """
    plan = plan_study(spec, allow_code=allow_code)
    directory = RunDirectory(out)
    marks = {"fingerprint": fingerprint(plan.spec.device), "data": plan.data, "code": plan.code}
    study = resolved(plan.spec)
    directory.open()
    with locked(out):
        marks = directory.adopt(study, marks, other_machine=other_machine)
        directory.tidy(plan.tasks)
        missing = [task for task in plan.tasks if not directory.result_file(task).exists()]
        # Conditions that differ in name alone share their stacks.
        missing = list({task.id: task for task in missing}.values())
        workers = min(worker_count(spec.executor.workers, plan.spec.device), max(1, len(missing)))
        if on_start is not None:
            on_start(Outlook(plan.tasks, missing, workers))
        run_local(
            missing,
            directory,
            workers=workers,
            allow_code=allow_code,
            tell=tell or (lambda _: None),
            checkpoint_seconds=checkpoint_seconds,
        )
        if on_trained is not None:
            on_trained()
        result = write_results(plan.spec, plan.tasks, directory, marks)
        if show is not None:
            show(result)
        directory.finish(study, marks)
        return result.summary
