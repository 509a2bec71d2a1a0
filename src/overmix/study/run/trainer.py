"""Makes a process one that trains stacks, wherever that process runs."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from overmix.errors import ConfigError, OvermixError
from overmix.study.plan.cells import StackTask
from overmix.study.plan.forks import Forks
from overmix.study.plan.trainings import code_file
from overmix.study.run.crew import Interrupted
from overmix.study.run.worker import StackRunner
from overmix.study.store.directory import RunDirectory

StackJob = tuple[StackTask, Forks]


class ToParent(Protocol):
    """How a worker talks to the process that gave it work."""

    def tell(self, event: Any) -> None:
        """Send progress, or anything else."""

    def should_stop(self) -> bool:
        """Return whether to save and leave."""


@dataclass(frozen=True)
class StackTrainer:
    """Makes a worker one that trains stacks.

    Args:
        path: of the run directory.
        allow_code: whether models may come from an import path.
        checkpoint_seconds: time between two checkpoints of a stack.
        saved: called with the file of each checkpoint that was written, the stack's own or one for another stack.
    """

    path: Path
    allow_code: bool
    checkpoint_seconds: float
    saved: Callable[[Path], None] | None = None

    def __call__(self, line: ToParent) -> Callable[[StackJob], None]:
        """Return what trains a stack and tells of its progress over a line."""
        runner = StackRunner(
            RunDirectory(self.path),
            allow_code=self.allow_code,
            tell=line.tell,
            should_stop=line.should_stop,
            checkpoint_seconds=self.checkpoint_seconds,
            saved=self.saved,
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
