"""Joins the run directories of a study's shards: what comes out is what one run of the whole study leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from overmix.errors import RunDirectoryError
from overmix.study.analyse.record import Summary
from overmix.study.analyse.result import StudyResult, write_results
from overmix.study.plan.cells import StackTask
from overmix.study.plan.study_plan import StudyPlan, plan_study
from overmix.study.spec.parse import parse_study
from overmix.study.spec.schema import resolved
from overmix.study.store.directory import RunDirectory
from overmix.study.store.files import is_intact_file, locked, write_bytes


def merge_study(
    folders: Sequence[Path],
    out: Path,
    *,
    allow_code: bool = False,
    other_machine: bool = False,
    show: Callable[[StudyResult], object] | None = None,
) -> Summary:
    """Gather the stacks of shards in one run directory, and write curves and summary. Nothing is trained.

    Args:
        folders: run directories of one study, as ``overmix run --shard`` leaves them.
        out: the run directory of the whole; one of ``folders``, or another.
        allow_code: whether models and recipes may come from an import path.
        other_machine: go on although they were trained under unequal fingerprints, which the result then says.
        show: called with the result while no other process may write there.

    Returns:
        What the study shows.

    Raises:
        RunDirectoryError: if the folders are of unequal studies, data, code or machines, or stacks are missing.
    """
    shards = [RunDirectory(folder) for folder in dict.fromkeys(folders)]
    contents = [shard.read() for shard in shards]
    plan = plan_study(parse_study(contents[0]["study"], allow_code=allow_code), allow_code=allow_code)
    for shard, content in zip(shards, contents, strict=True):
        _check_data_and_code(shard, content["marks"], plan)
    tasks = {task.id: task for task in plan.tasks}
    sources = {name: _source(task, shards) for name, task in tasks.items()}
    _check_complete(sources, len(shards))
    whole, study = RunDirectory(out), resolved(plan.spec)
    whole.open()
    with locked(out):
        # This machine trains nothing: the marks are those of the machines that did.
        for content in contents:
            whole.adopt(content["study"], content["marks"], other_machine=other_machine)
        marks = whole.read()["marks"]
        whole.tidy(plan.tasks)
        for name, source in sources.items():
            if source is not None and not whole.result_file(tasks[name]).exists():
                write_bytes(whole.result_file(tasks[name]), source.read_bytes())
        result = write_results(plan.spec, plan.tasks, whole, marks)
        if show is not None:
            show(result)
        whole.finish(study, marks)
        return result.summary


def _check_data_and_code(shard: RunDirectory, marks: dict[str, Any], plan: StudyPlan) -> None:
    """Refuse a shard whose data or code are not those that are here."""
    for key, digest in plan.data.items():
        shard.check_data(key, digest)
    for name, digest in plan.code.items():
        shard.check_code(name, digest)


def _source(task: StackTask, shards: Sequence[RunDirectory]) -> Path | None:
    files = (shard.result_file(task) for shard in shards)
    return next((file for file in files if is_intact_file(file)), None)


def _check_complete(sources: dict[str, Path | None], shards: int) -> None:
    missing = sum(source is None for source in sources.values())
    if missing:
        raise RunDirectoryError(
            f"{missing} of {len(sources)} stacks are missing or damaged in these {shards} folders: name the folders of "
            "all shards, and run those again that did not finish"
        )
