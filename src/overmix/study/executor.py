"""The local executor: worker processes that take stacks from a queue."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import Any

from overmix.errors import OvermixError
from overmix.study.cells import StackTask
from overmix.study.directory import RunDirectory
from overmix.study.worker import Interrupted, Progress, StackRunner, set_up_process

_POLL_SECONDS = 0.2


class StudyInterrupted(OvermixError):
    """The user stopped the study; finished stacks and checkpoints are on disk."""


@dataclass(frozen=True)
class _Finished:
    stack: str


@dataclass(frozen=True)
class _Failed:
    message: str
    expected: bool
    details: str


def worker_count(asked: int | str, device: str) -> int:
    """Return the number of processes: as asked, or one per processor, or one for a GPU."""
    if isinstance(asked, int):
        return asked
    if device != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_local(
    tasks: Sequence[StackTask],
    directory: RunDirectory,
    *,
    workers: int,
    allow_code: bool,
    tell: Callable[[Progress], None],
) -> None:
    """Train stacks in worker processes, longest-first order kept as given.

    Args:
        tasks: the stacks that are still missing.
        directory: where results and checkpoints go.
        workers: number of processes; the results do not depend on it.
        allow_code: whether models may come from an import path.
        tell: called in this process with each worker's progress.

    Raises:
        StudyInterrupted: after Ctrl-C, once every worker has saved its state.
        OvermixError: if a worker fails or dies.
    """
    if not tasks:
        return
    context = multiprocessing.get_context("spawn")
    events: Any = context.Queue()
    stop = context.Event()
    todo: Any = context.Queue()
    for task in tasks:
        todo.put(task)
    crew = _start(context, min(workers, len(tasks)), (todo, events, stop, directory.path, allow_code))
    try:
        _listen(crew, events, len(tasks), tell)
    except KeyboardInterrupt:
        raise StudyInterrupted("stopped; what is finished is kept") from None
    finally:
        # Reached after success, Ctrl-C and failure alike: let every worker save its state before it goes.
        stop.set()
        for process in crew:
            process.join(timeout=30)
            if process.is_alive():
                process.terminate()
        for channel in (todo, events):
            channel.cancel_join_thread()
            channel.close()


def _start(context: SpawnContext, count: int, arguments: tuple[Any, ...]) -> list[Any]:
    # One thread each: libraries read these before they are told otherwise.
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        crew = [context.Process(target=_work, args=arguments, daemon=True) for _ in range(count)]
        for process in crew:
            process.start()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
    return crew


def _listen(crew: Sequence[Any], events: Any, missing: int, tell: Callable[[Progress], None]) -> None:
    while missing:
        try:
            event = events.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            dead = [process for process in crew if process.exitcode not in (None, 0)]
            if dead:
                raise OvermixError(
                    f"a worker died with exit code {dead[0].exitcode} (out of memory?): run the same command again to "
                    "go on, perhaps with fewer workers"
                ) from None
            continue
        if isinstance(event, Progress):
            tell(event)
        elif isinstance(event, _Finished):
            missing -= 1
        elif event.expected:
            raise OvermixError(event.message)
        else:
            raise OvermixError(f"a worker failed: {event.message}\n{event.details}")


def _work(todo: Any, events: Any, stop: Any, path: Path, allow_code: bool) -> None:
    """Body of a worker process."""
    # Ctrl-C reaches the whole process group; the parent decides, so that the state is saved first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def should_stop() -> bool:
        return stop.is_set() or (parent is not None and not parent.is_alive())

    set_up_process()
    runner = StackRunner(RunDirectory(path), allow_code=allow_code, tell=events.put, should_stop=should_stop)
    try:
        while not should_stop():
            try:
                task = todo.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            runner.run(task)
            events.put(_Finished(task.id))
    except Interrupted:
        return
    except OvermixError as error:
        events.put(_Failed(str(error), expected=True, details=""))
    except Exception as error:
        events.put(_Failed(f"{type(error).__name__}: {error}", expected=False, details=traceback.format_exc()))
