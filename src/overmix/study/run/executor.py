"""The local executor: a crew that trains stacks."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from overmix.errors import ConfigError, OvermixError
from overmix.study.plan.cells import StackTask
from overmix.study.plan.forks import Forks, with_forks
from overmix.study.plan.trainings import code_file
from overmix.study.run.crew import Interrupted, Line, work_off
from overmix.study.run.worker import CHECKPOINT_SECONDS, StackProgress, StackRunner
from overmix.study.store.directory import RunDirectory

StackJob = tuple[StackTask, Forks]


def run_local(
    tasks: Sequence[StackTask],
    directory: RunDirectory,
    *,
    workers: int,
    allow_code: bool,
    tell: Callable[[StackProgress], None],
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
    trainer = StackTrainer(directory.path, allow_code, checkpoint_seconds)
    work_off(with_forks(tasks), trainer, workers=workers, tell=tell)


@dataclass(frozen=True)
class StackTrainer:
    """Makes a worker one that trains stacks.

    Args:
        path: of the run directory.
        allow_code: whether models may come from an import path.
        checkpoint_seconds: time between two checkpoints of a stack.
    """

    path: Path
    allow_code: bool
    checkpoint_seconds: float

    def __call__(self, line: Line) -> Callable[[StackJob], None]:
        """Return what trains a stack and tells of its progress over a line."""
        runner = StackRunner(
            RunDirectory(self.path),
            allow_code=self.allow_code,
            tell=line.tell,
            should_stop=line.should_stop,
            checkpoint_seconds=self.checkpoint_seconds,
        )

        def train(job: StackJob) -> None:
            task, forks = job
            try:
                runner.run(task, forks)
            except (Interrupted, OvermixError, MemoryError):
                raise
            except Exception as error:
                raise _fault_of_user_code(task, error) or error from None

        return train


def _fault_of_user_code(task: StackTask, error: Exception) -> ConfigError | None:
    """Return what to tell if the error came up in a user's own model or recipe, None if it did not."""
    for name in sorted({name for cell in task.cells for name in cell.import_paths}):
        file = code_file(name)
        places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        if places:
            at, told = places[-1], (str(error).splitlines() or [""])[0]
            remedy = f"{at.filename}, line {at.lineno}, raised {type(error).__name__} ({told}) in training: repair it"
            models = {cell.model.name for cell in task.cells}
            return ConfigError("model.name" if name in models else "recipe", name, remedy)
    return None
