"""Computes what is missing: jobs that are done once their file is there, in this process or in workers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from overmix.errors import StudyInterrupted
from overmix.files.folders import made_folder
from overmix.study.plan.process import as_a_worker
from overmix.study.plan.shards import Shard
from overmix.study.run.crew import Line, work_off
from overmix.study.store.arrays import is_whole_npz
from overmix.study.store.files import is_whole_json, locked, remove_temporaries, set_aside, write_bytes

_WHOLE: dict[str, Callable[[Path], bool]] = {".json": is_whole_json, ".npz": is_whole_npz}
"""What tells of a damaged file, by its suffix."""


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

    def is_whole(self) -> bool:
        """Return whether the file is as it was written, as far as its format can tell."""
        return _WHOLE.get(self.file.suffix, Path.exists)(self.file)

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
    say: Callable[[str], None] = lambda _: None,
    shard: Shard | None = None,
) -> list[FileJob]:
    """Do the jobs that are not done, and return them; a file that was damaged is set aside, and made again.

    The caller holds the folder they write to, see :func:`held`.

    Args:
        jobs: in their order.
        workers: processes; with one, jobs are done here. Results do not depend on it.
        tell: called in this process after each job.
        say: called with a line for each file that was damaged.
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
    for job in mine:
        if job.file.exists() and not job.is_whole():
            aside = set_aside(job.file, job.file.parent)
            say(f"{job.name}: damaged since it was written, set aside as {aside}; it is made again")
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


@contextlib.contextmanager
def held(folder: Path, shard: Shard | None) -> Iterator[None]:
    """Hold a folder while jobs write to it: alone, or beside other shards, which write other files.

    Args:
        folder: made if it is missing.
        shard: which part of the jobs is done; None for all.

    Raises:
        RunDirectoryError: if it cannot be written, or another process writes there.
    """
    made_folder(folder)
    with locked(folder, beside_others=shard is not None):
        if shard is None:  # what another shard is writing is no leftover
            remove_temporaries(folder)
        yield


def _doer(line: Line) -> Callable[[FileJob], None]:
    return FileJob.do
