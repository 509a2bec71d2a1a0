"""The local executor: worker processes that are handed one stack after another.

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
from pathlib import Path
from typing import NoReturn

from overmix.errors import ConfigError, OvermixError, StudyInterrupted, WorkerFault
from overmix.study.plan.cells import StackTask
from overmix.study.plan.forks import Forks, with_forks
from overmix.study.plan.trainings import code_file
from overmix.study.run.worker import CHECKPOINT_SECONDS, Interrupted, Progress, StackRunner, set_up_process
from overmix.study.store.directory import RunDirectory

_LOOK_SECONDS = 0.1
"""How often a worker looks whether it should stop."""

_PATIENCE_SECONDS = 30.0
"""How long a worker may take to save its state."""


Job = tuple[StackTask, Forks]


@dataclass(frozen=True)
class _Finished:
    stack: str


@dataclass(frozen=True)
class _Failed:
    message: str
    expected: bool
    details: str


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    line: Connection


def run_local(
    tasks: Sequence[StackTask],
    directory: RunDirectory,
    *,
    workers: int,
    allow_code: bool,
    tell: Callable[[Progress], None],
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Train stacks in worker processes, those first that others can go on from.

    Args:
        tasks: the stacks that are still missing.
        directory: where results and checkpoints go.
        workers: number of processes; the results do not depend on it.
        allow_code: whether models may come from an import path.
        tell: called in this process with each worker's progress.
        checkpoint_seconds: time between two checkpoints of a stack.

    Raises:
        StudyInterrupted: after Ctrl-C, once every worker has saved its state.
        OvermixError: if a worker cannot go on or dies; the others save their state first.
        WorkerFault: if a worker fails in a way that was not foreseen; the others save their state here too.
    """
    crew: list[_Worker] = []
    interrupted = False
    try:
        for _ in range(min(workers, len(tasks))):
            crew.append(_start(directory.path, allow_code, checkpoint_seconds))
        _supervise(crew, deque(with_forks(tasks)), tell)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        # Reached after success, Ctrl-C and failure alike.
        unsaved = _dismiss(crew)
    if interrupted:
        raise StudyInterrupted("; ".join(["stopped, what is finished is kept", *unsaved]))


def _supervise(crew: Sequence[_Worker], waiting: deque[Job], tell: Callable[[Progress], None]) -> None:
    """Hand out the stacks and wait until all are finished."""
    lines = {worker.line: worker for worker in crew}
    missing = len(waiting)
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
            if isinstance(event, Progress):
                tell(event)
            elif isinstance(event, _Failed):
                raise OvermixError(event.message) if event.expected else WorkerFault(event.message, event.details)
            else:
                missing -= 1
                if waiting:
                    _hand(worker, waiting.popleft())


def _hand(worker: _Worker, job: Job) -> None:
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


def _dismiss(crew: Sequence[_Worker]) -> list[str]:
    """Let every worker save its state and go, and return what went wrong with that."""
    failures = []
    for worker in crew:
        with contextlib.suppress(OSError):
            worker.line.send(None)
    until = time.monotonic() + _PATIENCE_SECONDS
    for worker in crew:
        # What it still says is read, so that it does not wait for a reader.
        with contextlib.suppress(EOFError, OSError):
            while worker.line.poll(max(0.0, until - time.monotonic())):
                event = worker.line.recv()
                if isinstance(event, _Failed):
                    failures.append(event.message)
        worker.process.join(timeout=max(0.1, until - time.monotonic()))
        if worker.process.is_alive():
            worker.process.terminate()
        worker.line.close()
    return failures


def _start(path: Path, allow_code: bool, checkpoint_seconds: float) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, path, allow_code, checkpoint_seconds), daemon=True)
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
    """Let a process that is started now ignore Ctrl-C from its first instruction; the parent decides what it means."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _ParentLine:
    """A worker's end of the line."""

    def __init__(self, line: Connection) -> None:
        self._line, self._looked = line, time.monotonic()

    def tell(self, progress: Progress) -> None:
        """Send progress; if nobody is there to hear it, :meth:`should_stop` will say so."""
        with contextlib.suppress(OSError):
            self._line.send(progress)

    def should_stop(self) -> bool:
        """Return whether the parent said stop, or is gone: nothing else arrives while a stack is trained."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return False
        self._looked = now
        try:
            return self._line.poll()
        except OSError:
            return True


def _work(line: Connection, path: Path, allow_code: bool, checkpoint_seconds: float) -> None:
    """Body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_up_process()
    parent = _ParentLine(line)
    runner = StackRunner(
        RunDirectory(path),
        allow_code=allow_code,
        tell=parent.tell,
        should_stop=parent.should_stop,
        checkpoint_seconds=checkpoint_seconds,
    )
    try:
        while (job := line.recv()) is not None:
            line.send(_attempt(runner, *job))
    except (EOFError, ConnectionError, Interrupted):
        pass
    line.close()
    # Everything is written. Python's own way out takes a second with PyTorch loaded, and the parent waits for it.
    os._exit(0)


def _attempt(runner: StackRunner, task: StackTask, forks: Forks) -> _Finished | _Failed:
    try:
        runner.run(task, forks)
    except Interrupted:
        raise
    except OvermixError as error:
        return _Failed(str(error), expected=True, details="")
    except MemoryError:
        return _Failed("there is not enough memory for this stack: use fewer --workers", expected=True, details="")
    except Exception as error:
        told = _fault_of_user_code(task, error)
        if told:
            return _Failed(told, expected=True, details="")
        message = f"a worker failed with {type(error).__name__}: {error}"
        return _Failed(message, expected=False, details=traceback.format_exc())
    return _Finished(task.id)


def _fault_of_user_code(task: StackTask, error: Exception) -> str:
    """Return what to tell if the error came up in a user's own model or recipe, and nothing if it did not."""
    for name in sorted({name for cell in task.cells for name in cell.import_paths}):
        file = code_file(name)
        places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        if places:
            at, told = places[-1], (str(error).splitlines() or [""])[0]
            remedy = f"{at.filename}, line {at.lineno}, raised {type(error).__name__} ({told}) in training: repair it"
            models = {cell.content["model"]["name"] for cell in task.cells}
            return str(ConfigError("model.name" if name in models else "recipe", name, remedy))
    return ""
