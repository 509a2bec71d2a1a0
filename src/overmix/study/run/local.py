"""The local executor: a crew of processes of this machine that train stacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from overmix.study.plan.cells import StackTask
from overmix.study.plan.fingerprint import fingerprint
from overmix.study.plan.forks import with_forks
from overmix.study.plan.workers import worker_count
from overmix.study.run.crew import work_off
from overmix.study.run.trainer import StackTrainer
from overmix.study.run.worker import CHECKPOINT_SECONDS, StackProgress
from overmix.study.spec.schema import ExecutorSpec
from overmix.study.store.directory import RunDirectory


@dataclass(frozen=True)
class LocalExecutor:
    """Trains in processes of this machine, which write to the run directory themselves.

    Args:
        spec: what the study says of it.
        device: of the study, resolved.
    """

    spec: ExecutorSpec
    device: str

    @property
    def workers(self) -> int:
        """How many stacks are trained at a time."""
        return worker_count(self.spec.workers, self.device)

    def fingerprint(self) -> dict[str, Any]:
        """Return this machine's fingerprint."""
        return fingerprint(self.device)

    def train(
        self,
        tasks: Sequence[StackTask],
        directory: RunDirectory,
        *,
        allow_code: bool,
        tell: Callable[[StackProgress], None],
        checkpoint_seconds: float,
        admit: Callable[[dict[str, Any]], None],
    ) -> None:
        """Train stacks, see :class:`overmix.study.run.executor.Executor`; the machine is admitted already."""
        run_local(
            tasks,
            directory,
            workers=max(1, min(self.workers, len(tasks))),
            allow_code=allow_code,
            tell=tell,
            checkpoint_seconds=checkpoint_seconds,
        )


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
