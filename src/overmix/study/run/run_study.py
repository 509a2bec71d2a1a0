"""Runs a study: what is missing is trained, then everything is summarised."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overmix.study.analyse.record import Summary
from overmix.study.analyse.result import StudyResult, write_results
from overmix.study.plan.cells import StackTask
from overmix.study.plan.shards import Shard
from overmix.study.plan.study_plan import StudyPlan, plan_study
from overmix.study.run.executor import open_executor
from overmix.study.run.worker import CHECKPOINT_SECONDS, StackProgress
from overmix.study.spec.schema import StudySpec, resolved
from overmix.study.store.directory import RunDirectory
from overmix.study.store.files import locked


@dataclass(frozen=True)
class Outlook:
    """What there is to do, told before it is done.

    Args:
        tasks: all stacks.
        missing: those that are not finished yet.
        workers: stacks that are trained at a time.
        damaged: where files are now that were damaged since they were written; what they held is trained again.
        notes: what there is to say about the study, a line each.
    """

    tasks: list[StackTask]
    missing: list[StackTask]
    workers: int
    damaged: list[Path] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def run_study(
    spec: StudySpec,
    out: Path,
    *,
    allow_code: bool = False,
    other_machine: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    on_start: Callable[[Outlook], None] | None = None,
    tell: Callable[[StackProgress], None] | None = None,
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
    with _trained(
        spec,
        out,
        None,
        allow_code=allow_code,
        other_machine=other_machine,
        checkpoint_seconds=checkpoint_seconds,
        on_start=on_start,
        tell=tell,
    ) as (plan, directory, marks):
        if on_trained is not None:
            on_trained()
        result = write_results(plan.spec, plan.tasks, directory, marks)
        if show is not None:
            show(result)
        directory.finish(resolved(plan.spec), marks)
        return result.summary


def run_shard(
    spec: StudySpec,
    out: Path,
    shard: Shard,
    *,
    allow_code: bool = False,
    other_machine: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    on_start: Callable[[Outlook], None] | None = None,
    tell: Callable[[StackProgress], None] | None = None,
) -> None:
    """Train what is missing of a part of a study; :func:`overmix.study.run.merge.merge_study` joins the parts.

    Args:
        spec: the whole study.
        out: a run directory of this part's own.
        shard: which part.
        allow_code: see :func:`run_study`, as the others.
        other_machine: likewise.
        checkpoint_seconds: likewise.
        on_start: likewise.
        tell: likewise.
    """
    with _trained(
        spec,
        out,
        shard,
        allow_code=allow_code,
        other_machine=other_machine,
        checkpoint_seconds=checkpoint_seconds,
        on_start=on_start,
        tell=tell,
    ):
        pass


@contextlib.contextmanager
def _trained(
    spec: StudySpec,
    out: Path,
    shard: Shard | None,
    *,
    allow_code: bool,
    other_machine: bool,
    checkpoint_seconds: float,
    on_start: Callable[[Outlook], None] | None,
    tell: Callable[[StackProgress], None] | None,
) -> Iterator[tuple[StudyPlan, RunDirectory, dict[str, Any]]]:
    """Train what is missing of a study or of one shard, and hold the directory while what follows is done."""
    plan = plan_study(spec, allow_code=allow_code)
    directory, study = RunDirectory(out), resolved(plan.spec)
    machines: list[dict[str, Any]] = []
    marks: dict[str, Any] = {}

    def admit(machine: dict[str, Any]) -> None:
        nonlocal marks
        if machine not in machines:
            here = {"fingerprint": machine, "data": plan.data, "code": plan.code}
            marks = directory.adopt(study, here, other_machine=other_machine)
            machines.append(machine)

    with contextlib.ExitStack() as held:
        executor = held.enter_context(open_executor(spec.executor, plan.spec.device))
        directory.open()
        held.enter_context(locked(out))
        admit(executor.fingerprint())
        tasks = plan.tasks if shard is None else shard.of_tasks(plan.tasks)
        damaged = directory.tidy(tasks)
        missing = [task for task in tasks if not directory.result_file(task).exists()]
        # Conditions that differ in name alone share their stacks.
        missing = list({task.id: task for task in missing}.values())
        if on_start is not None:
            on_start(Outlook(tasks, missing, max(1, min(executor.workers, len(missing))), damaged, plan.notes))
        executor.train(
            missing,
            directory,
            allow_code=allow_code,
            tell=tell or (lambda _: None),
            checkpoint_seconds=checkpoint_seconds,
            admit=admit,
        )
        yield plan, directory, marks
