"""What all executors have in common: they train the stacks of a study that are missing, somewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from overmix.study.plan.cells import StackTask
from overmix.study.run.local import LocalExecutor
from overmix.study.run.worker import StackProgress
from overmix.study.spec.schema import ExecutorSpec
from overmix.study.store.directory import RunDirectory


class Executor(Protocol):
    """Where stacks are trained. The bytes of their results depend on the machines there, and on nothing else of it."""

    @property
    def workers(self) -> int:
        """How many stacks are trained at a time."""

    def fingerprint(self) -> dict[str, Any]:
        """Return what the bytes of results depend on beyond the study, on a machine where stacks are trained."""

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
        """Train stacks, and leave their results in the run directory.

        Args:
            tasks: the stacks that are still missing.
            directory: where results and checkpoints go; this process holds its lock.
            allow_code: whether models may come from an import path.
            tell: called in this process with each stack's progress.
            checkpoint_seconds: time between two checkpoints of a stack.
            admit: called with the fingerprint of a machine before a result of it is kept; raises if it may not be.

        Raises:
            StudyInterrupted: after Ctrl-C, once the state of every stack is saved.
            OvermixError: for what the user can mend; the other stacks save their state first.
            WorkerFault: for what was not foreseen; the other stacks save their state here too.
        """


@contextmanager
def open_executor(spec: ExecutorSpec, device: str) -> Iterator[Executor]:
    """Give the executor that a study names, connected while it is used.

    Args:
        spec: what the study says of it.
        device: of the study, resolved.

    Raises:
        MissingExtraError: if what it needs is not installed.
        ConfigError: if it cannot be reached, or has not what is asked of it.
    """
    if spec.name == "local":
        yield LocalExecutor(spec, device)
        return
    # Only here: it imports Ray.
    from overmix.study.run.ray_cluster import connected
    from overmix.study.run.remote import RemoteExecutor

    with connected(spec, device) as cluster:
        yield RemoteExecutor(cluster, spec, device)
