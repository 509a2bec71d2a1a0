"""Trains stacks on other machines: they are sent out and come back as bytes, and this process alone writes.

A stack is trained in a folder of the machine it was sent to, by what trains it locally. Every checkpoint is sent here
as soon as it is written, so that a stack whose machine is lost goes on from there on another one, as it would here
after a kill. What a cluster has to offer for that is :class:`Cluster`.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from overmix.errors import OvermixError, StudyInterrupted, WorkerFault
from overmix.study.plan.cells import StackTask
from overmix.study.plan.fingerprint import fingerprint
from overmix.study.plan.forks import Forks, with_forks
from overmix.study.run.crew import Failed, Interrupted, attempt
from overmix.study.run.trainer import StackJob, StackTrainer, ToParent
from overmix.study.run.worker import StackProgress
from overmix.study.spec.schema import ExecutorSpec
from overmix.study.store.directory import RunDirectory
from overmix.study.store.files import is_intact_file, make_folder, write_bytes
from overmix.study.store.seal import is_intact

_LOOK_SECONDS = 0.2
"""How long is waited for a stack before what others tell is looked at."""

_PATIENCE_SECONDS = 30.0
"""How long stacks may take to save their state."""

_ROOM_SECONDS = 60.0
"""How long a cluster may have no node that fits; one that is restarted comes back sooner."""


class NodeLost(Exception):
    """Raised where a stack's result should be, if its process or machine is gone."""


@dataclass(frozen=True)
class SentStack:
    """A stack, with all that it needs on another machine.

    Args:
        task: the stack.
        forks: the stacks that can go on from its states.
        study: content of ``study.json``: data and code there must be those that are here.
        checkpoint: the state that it goes on from, if there is one.
        allow_code: whether models may come from an import path.
        checkpoint_seconds: time between two checkpoints.
    """

    task: StackTask
    forks: Forks
    study: bytes
    checkpoint: bytes | None
    allow_code: bool
    checkpoint_seconds: float


@dataclass(frozen=True)
class TrainedStack:
    """What comes back.

    Args:
        machine: its fingerprint.
        content: of the result's file, sealed.
    """

    machine: dict[str, Any]
    content: bytes


@dataclass(frozen=True)
class SavedCheckpoint:
    """A checkpoint that comes while a stack is trained.

    Args:
        sender: id of the stack that is trained.
        stack: id of the stack that can go on from it: the same, or one with the same beginning.
        content: of its file, sealed.
    """

    sender: str
    stack: str
    content: bytes


class Cluster(Protocol):
    """Machines that stacks can be sent to."""

    def room(self) -> int:
        """Return how many stacks it can train at a time, now."""

    def fingerprint(self, device: str) -> dict[str, Any]:
        """Return the fingerprint of a machine that stacks are sent to."""

    def submit(self, stack: SentStack) -> Hashable:
        """Send a stack, and return what stands for it: :func:`train_sent` is called there."""

    def wait(self, stacks: Sequence[Any], seconds: float) -> list[Any]:
        """Return those that have come to their end, as soon as one has, or after some seconds."""

    def result(self, stack: Any) -> TrainedStack | Failed | None:
        """Return what :func:`train_sent` returned.

        Raises:
            NodeLost: if nothing comes back any more.
        """

    def heard(self) -> list[Any]:
        """Return what was told since the last call, in order."""

    def stop(self) -> None:
        """Let all stacks save their state and leave."""

    def abandon(self, stacks: Sequence[Any]) -> None:
        """End those that do not leave."""


@dataclass(frozen=True)
class RemoteExecutor:
    """Trains on a cluster.

    Args:
        cluster: the machines.
        spec: what the study says of it.
        device: of the study, resolved.
    """

    cluster: Cluster
    spec: ExecutorSpec
    device: str

    @property
    def workers(self) -> int:
        """How many stacks are trained at a time; what the cluster has room for may change."""
        room = self.cluster.room()
        return room if self.spec.workers == "auto" else min(room, self.spec.workers)

    def fingerprint(self) -> dict[str, Any]:
        """Return the fingerprint of a machine of the cluster: this one trains nothing."""
        return self.cluster.fingerprint(self.device)

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
        """Train stacks, see :class:`overmix.study.run.executor.Executor`."""
        send = partial(_sent, directory=directory, allow_code=allow_code, checkpoint_seconds=checkpoint_seconds)
        driver = _Driver(self, directory, send, tell, admit, tasks)
        interrupted = False
        try:
            driver.work_off()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            # Reached after success, Ctrl-C and failure alike.
            unsaved = driver.dismiss()
        if interrupted:
            raise StudyInterrupted("; ".join(["stopped, what is finished is kept", *unsaved]))


def _sent(job: StackJob, *, directory: RunDirectory, allow_code: bool, checkpoint_seconds: float) -> SentStack:
    task, forks = job
    file = directory.checkpoint_file(task)
    checkpoint = file.read_bytes() if is_intact_file(file) else None
    return SentStack(task, forks, directory.study_file.read_bytes(), checkpoint, allow_code, checkpoint_seconds)


class _Driver:
    """Sends stacks out and writes what comes back."""

    def __init__(
        self,
        executor: RemoteExecutor,
        directory: RunDirectory,
        send: Callable[[StackJob], SentStack],
        tell: Callable[[StackProgress], None],
        admit: Callable[[dict[str, Any]], None],
        tasks: Sequence[StackTask],
    ) -> None:
        self.executor, self.cluster, self.directory = executor, executor.cluster, directory
        self.send, self.tell, self.admit = send, tell, admit
        self.waiting = deque(with_forks(tasks))
        self.running: dict[Any, StackJob] = {}
        self.open = {task.id: task for task in tasks}
        self.begun: set[str] = set()
        self.losses: Counter[str] = Counter()
        self.had_room = time.monotonic()

    def work_off(self) -> None:
        """Train all."""
        while self.waiting or self.running:
            self._send_out()
            for handle in self._wait():
                self._take(handle)

    def dismiss(self) -> list[str]:
        """Let what still runs save its state, and return what went wrong with that."""
        failures: list[str] = []
        self.tell = lambda _: None
        try:
            if self.running:
                self.cluster.stop()
                self._gather(failures, until=time.monotonic() + _PATIENCE_SECONDS)
        except OvermixError as gone:
            failures.append(str(gone))
        finally:
            self.cluster.abandon(list(self.running))
        return failures

    def _gather(self, failures: list[str], until: float) -> None:
        """Take what stacks that were told to stop still send."""
        while self.running and time.monotonic() < until:
            for handle in self._wait():
                task, _ = self.running.pop(handle)
                try:
                    result = self.cluster.result(handle)
                    if isinstance(result, TrainedStack) and is_intact(result.content):
                        self._keep(task, result)
                except (NodeLost, OvermixError, WorkerFault) as error:
                    failures.append(str(error))
                else:
                    failures += [result.message] if isinstance(result, Failed) else []

    def _send_out(self) -> None:
        workers = self.executor.workers
        if workers:
            self.had_room = time.monotonic()
        elif time.monotonic() - self.had_room > _ROOM_SECONDS:
            raise OvermixError(
                "no node of the cluster is left that fits what a stack asks for: add one, and run the same command "
                "again to go on from the last checkpoints"
            )
        while self.waiting and len(self.running) < workers:
            job = self.waiting.popleft()
            self.begun.add(job[0].id)
            self.running[self.cluster.submit(self.send(job))] = job

    def _wait(self) -> list[Any]:
        if not self.running:
            time.sleep(_LOOK_SECONDS)
        done = self.cluster.wait(list(self.running), _LOOK_SECONDS) if self.running else []
        # What was told before the end was told before it.
        for event in self.cluster.heard():
            if isinstance(event, SavedCheckpoint):
                self._save(event)
            elif event.stack in self.open:
                self.tell(event)
        return done

    def _take(self, handle: Any) -> None:
        job = self.running.pop(handle)
        task, _ = job
        try:
            result = self.cluster.result(handle)
        except NodeLost as lost:
            self._send_again(job, str(lost))
            return
        if isinstance(result, Failed):
            raise result.error()
        if result is None:
            self._send_again(job, "it heard nothing from here")
            return
        if not is_intact(result.content):
            self._send_again(job, "what came back is damaged")
            return
        self._keep(task, result)

    def _send_again(self, job: StackJob, why: str) -> None:
        task, _ = job
        self.losses[task.id] += 1
        if self.losses[task.id] > self.executor.spec.retries:
            raise OvermixError(
                f"a stack was lost {self.losses[task.id]} times, last because {why}: run the same command again to go "
                "on from the last checkpoints, perhaps with more executor.num_cpus, and so more memory, for each"
            )
        note = f"a stack of {len(task.cells)} runs was lost ({why}): it goes on elsewhere from its last checkpoint"
        self.tell(StackProgress(task.id, 0, task.cells[0].train.epochs, {}, note=note))
        self.waiting.appendleft(job)

    def _keep(self, task: StackTask, result: TrainedStack) -> None:
        self.admit(result.machine)
        write_bytes(self.directory.result_file(task), result.content)
        self.directory.checkpoint_file(task).unlink(missing_ok=True)
        del self.open[task.id]

    def _save(self, saved: SavedCheckpoint) -> None:
        """Write a checkpoint of a stack that is open, unless it would take the place of a later one."""
        task = self.open.get(saved.stack)
        if task is None or not is_intact(saved.content):
            return
        file = self.directory.checkpoint_file(task)
        if saved.stack == saved.sender or self._can_begin_from(saved, file):
            write_bytes(file, saved.content)

    def _can_begin_from(self, saved: SavedCheckpoint, file: Path) -> bool:
        return (
            saved.stack not in self.begun and not file.exists() and self.directory.has_room_for_fork(len(saved.content))
        )


def train_sent(stack: SentStack, line: ToParent) -> TrainedStack | Failed | None:
    """Train a stack on the machine it was sent to; None if it was stopped, and its state sent back."""
    with TemporaryDirectory(prefix="overmix-") as folder:
        directory = RunDirectory(Path(folder))
        for name in ("stacks", "checkpoints"):
            make_folder(directory.path / name)
        write_bytes(directory.study_file, stack.study)
        if stack.checkpoint is not None:
            write_bytes(directory.checkpoint_file(stack.task), stack.checkpoint)
        told = _OfStack(stack.task.id, line)
        trainer = StackTrainer(directory.path, stack.allow_code, stack.checkpoint_seconds, told.saved)
        try:
            failed = attempt(trainer(line), (stack.task, stack.forks))
        except Interrupted:
            return None
        if failed is not None:
            return failed
        return TrainedStack(fingerprint(stack.task.device), directory.result_file(stack.task).read_bytes())


@dataclass(frozen=True)
class _OfStack:
    """Sends the checkpoints of a stack, and of those that can go on from it."""

    stack: str
    line: ToParent

    def saved(self, file: Path) -> None:
        self.line.tell(SavedCheckpoint(self.stack, file.stem, file.read_bytes()))
