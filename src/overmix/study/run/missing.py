"""Computes what is missing: jobs that are done once their file is there, in this process or in workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from overmix.errors import StudyInterrupted
from overmix.study.plan.process import as_a_worker
from overmix.study.plan.shards import Shard
from overmix.study.run.crew import Line, work_off
from overmix.study.store.files import write_bytes


@dataclass(frozen=True)
class FileJob:
    """A file, and how to make it.

    Args:
        name: for people.
        file: the result. It is there whole or not at all, so that an interrupted run goes on where it stopped.
        make: returns its content; a function of a module, or a partial one, where it is sent to a worker.
        is_current: whether a file that is there is the right one; any is, by default.
    """

    name: str
    file: Path
    make: Callable[[], bytes]
    is_current: Callable[[Path], bool] = Path.exists

    def is_done(self) -> bool:
        """Return whether there is nothing to do."""
        return self.file.exists() and self.is_current(self.file)

    def do(self) -> None:
        """Make the file."""
        write_bytes(self.file, self.make())


@dataclass(frozen=True)
class Done:
    """What is told after each job.

    Args:
        job: the one that was done just now.
        number: of jobs that were done in this run.
        total: of jobs that were missing when it began.
        seconds: since then.
    """

    job: FileJob
    number: int
    total: int
    seconds: float


def run_missing(
    jobs: Sequence[FileJob],
    *,
    workers: int = 1,
    tell: Callable[[Done], None] = lambda _: None,
    shard: Shard | None = None,
) -> list[FileJob]:
    """Do the jobs that are not done, and return them.

    The caller holds the lock of the folder they write to.

    Args:
        jobs: in their order.
        workers: processes; with one, jobs are done here. Results do not depend on it.
        tell: called in this process after each job.
        shard: which part of the jobs to do; all by default.

    Raises:
        StudyInterrupted: after Ctrl-C; what is finished is kept.
        OvermixError: what a job raises that the user can mend.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     jobs = [FileJob(f"job {k}", Path(folder) / f"{k}.txt", lambda: b"42") for k in range(2)]
        ...     jobs[0].do()
        ...     [job.name for job in run_missing(jobs)], run_missing(jobs)
        (['job 1'], [])
    """
    mine = jobs if shard is None else shard.of_jobs(jobs, [1.0] * len(jobs))
    missing = [job for job in mine if not job.is_done()]
    began, number = time.monotonic(), 0

    def finished(job: FileJob) -> None:
        nonlocal number
        number += 1
        tell(Done(job, number, len(missing), time.monotonic() - began))

    if workers > 1 and len(missing) > 1:
        # Jobs that save nothing on their way are not waited for.
        work_off(missing, _doer, workers=workers, tell=lambda _: None, finished=finished, patience=0.0)
        return missing
    try:
        for job in missing:
            with as_a_worker():
                job.do()
            finished(job)
    except KeyboardInterrupt:
        raise StudyInterrupted("stopped, what is finished is kept") from None
    return missing


def _doer(line: Line) -> Callable[[FileJob], None]:
    return FileJob.do
