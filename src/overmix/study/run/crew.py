"""A crew of worker processes that are handed one job after another, for studies and all that computes what is missing.

Each worker has a line of its own to the parent. Nothing is shared, so that a worker which is killed, at whatever
instruction, holds no lock that others wait for; and a line whose other end has gone is readable, so that each side
learns of the other's death at once.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn, TypeVar

from overmix.errors import OvermixError, StudyInterrupted, WorkerFault
from overmix.study.plan.process import set_up_process

_LOOK_SECONDS = 0.1
"""How often a worker looks whether it should stop."""

_PATIENCE_SECONDS = 30.0
"""How long a worker may take to save its state."""

Job = TypeVar("Job")
Work = Callable[[Job], object]
"""Does a job, in a worker."""


class Interrupted(Exception):
    """Raised by a job that was asked to stop and has saved its state."""


@dataclass(frozen=True)
class Failed:
    """How a job failed, as it is told to another process.

    Args:
        message: in one line.
        expected: whether the user can mend it.
        details: the traceback of what nobody foresaw.
    """

    message: str
    expected: bool
    details: str

    def error(self) -> OvermixError | WorkerFault:
        """Return what to raise in the process that is told."""
        return OvermixError(self.message) if self.expected else WorkerFault(self.message, self.details)


def attempt(work: Work[Job], job: Job) -> Failed | None:
    """Do a job, and return how it failed; None if it did not.

    Raises:
        Interrupted: if it was asked to stop.
    """
    try:
        work(job)
    except Interrupted:
        raise
    except OvermixError as error:
        return Failed(str(error), expected=True, details="")
    except MemoryError:
        return Failed("there is not enough memory: use fewer --workers", expected=True, details="")
    except Exception as error:
        message = f"a worker failed with {type(error).__name__}: {error}"
        return Failed(message, expected=False, details=traceback.format_exc())
    return None


@dataclass(frozen=True)
class _Finished:
    number: int


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    line: Connection


def work_off(
    jobs: Sequence[Job],
    begin: Callable[[Line], Work[Job]],
    *,
    workers: int,
    tell: Callable[[Any], None],
    finished: Callable[[Job], None] = lambda _: None,
    patience: float = _PATIENCE_SECONDS,
) -> None:
    """Do jobs in worker processes, in their order.

    Args:
        jobs: what can be sent to another process.
        begin: called once in each worker with its end of the line to this process; returns what does a job. A function
            of a module, or an object of one, since it is sent there.
        workers: number of processes.
        tell: called in this process with what workers tell over their lines.
        finished: called in this process after each job.
        patience: seconds that workers have to save and leave when all has to stop.

    Raises:
        StudyInterrupted: after Ctrl-C, once every worker has left.
        OvermixError: if a job raises one, or a worker dies; the others save their state first.
        WorkerFault: if a job fails in a way that was not foreseen; the others save their state here too.
    """
    crew: list[_Worker] = []
    interrupted = False
    try:
        for _ in range(min(workers, len(jobs))):
            crew.append(_start(begin))
        _supervise(crew, jobs, tell, finished)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        # Reached after success, Ctrl-C and failure alike.
        unsaved = _dismiss(crew, patience)
    if interrupted:
        raise StudyInterrupted("; ".join(["stopped, what is finished is kept", *unsaved]))


def _supervise(
    crew: Sequence[_Worker], jobs: Sequence[Job], tell: Callable[[Any], None], finished: Callable[[Job], None]
) -> None:
    """Hand out the jobs and wait until all are finished."""
    lines = {worker.line: worker for worker in crew}
    missing, waiting = len(jobs), deque(enumerate(jobs))
    for worker in crew:
        _hand(worker, waiting.popleft())
    while missing:
        # The time-out is for Windows, where Ctrl-C does not end the waiting.
        for line in wait(list(lines), timeout=1.0):
            worker = lines[line]  # type: ignore[index]
            try:
                event = worker.line.recv()
            except (EOFError, OSError):
                _report_death(worker)
            if isinstance(event, Failed):
                raise event.error()
            if not isinstance(event, _Finished):
                tell(event)
                continue
            missing -= 1
            if waiting:
                _hand(worker, waiting.popleft())
            finished(jobs[event.number])


def _hand(worker: _Worker, job: tuple[int, Any]) -> None:
    try:
        worker.line.send(job)
    except OSError:
        _report_death(worker)


def _report_death(worker: _Worker) -> NoReturn:
    worker.process.join(timeout=_PATIENCE_SECONDS)
    code = worker.process.exitcode
    how = f"left with code {code}" if code is None or code >= 0 else f"was killed by signal {-code} (out of memory?)"
    raise OvermixError(
        f"a worker {how}: run the same command again to go on from the last checkpoints, perhaps with fewer --workers"
    )


def _dismiss(crew: Sequence[_Worker], patience: float) -> list[str]:
    """Let every worker save its state and go, and return what went wrong with that."""
    failures = []
    for worker in crew:
        with contextlib.suppress(OSError):
            worker.line.send(None)
    until = time.monotonic() + patience
    for worker in crew:
        # What it still says is read, so that it does not wait for a reader.
        with contextlib.suppress(EOFError, OSError):
            while worker.line.poll(max(0.0, until - time.monotonic())):
                event = worker.line.recv()
                if isinstance(event, Failed):
                    failures.append(event.message)
        worker.process.join(timeout=max(0.1, until - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
        worker.line.close()
    return failures


def _start(begin: Callable[[Line], Work[Job]]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, begin), daemon=True)
    with _one_thread_each(), _deaf_to_ctrl_c():
        process.start()
    # Only the worker may hold its end, or its death would not be noticed.
    theirs.close()
    return _Worker(process, ours)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Set what numerical libraries read when they are loaded, before they are told otherwise."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let a process that is started now ignore Ctrl-C from its first instruction; the parent decides what it means.

    SIGTERM likewise, which a scheduler sends to all processes of a job, the workers among them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Line:
    """A worker's end of the line."""

    def __init__(self, line: Connection) -> None:
        self._line, self._looked = line, time.monotonic()

    def tell(self, event: Any) -> None:
        """Send progress, or anything else; if nobody is there to hear it, :meth:`should_stop` will say so."""
        with contextlib.suppress(OSError):
            self._line.send(event)

    def should_stop(self) -> bool:
        """Return whether the parent said stop, or is gone: nothing else arrives while a job is done."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return False
        self._looked = now
        try:
            return self._line.poll()
        except OSError:
            return True


def _work(line: Connection, begin: Callable[[Line], Work[Any]]) -> None:
    """Body of a worker process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    set_up_process()
    work = begin(Line(line))
    try:
        while (numbered := line.recv()) is not None:
            number, job = numbered
            line.send(attempt(work, job) or _Finished(number))
    except (EOFError, ConnectionError, Interrupted):
        pass
    line.close()
    # Everything is written. Python's own way out takes a second with PyTorch loaded, and the parent waits for it.
    os._exit(0)
