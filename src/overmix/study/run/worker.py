"""A worker: trains one stack at a time, saves as it goes, and can be killed at any moment."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overmix.errors import OvermixError, RunDirectoryError
from overmix.study.data import Dataset
from overmix.study.plan.cells import StackTask
from overmix.study.plan.forks import Forks
from overmix.study.plan.memory import out_of_memory
from overmix.study.plan.trainings import code_digest, data_digest, open_dataset, pool_key, training_of
from overmix.study.run.crew import Interrupted
from overmix.study.run.parts import halves, joined, one_by_one
from overmix.study.store.checkpoint import load_tensors, save_tensors
from overmix.study.store.directory import RunDirectory
from overmix.train import StackResult, StackTraining

CHECKPOINT_SECONDS = 10.0
"""How much work a killed process may lose, roughly."""

_MOST_SAVING = 0.05
"""Share of a stack's time that checkpoints may take: where writing or sending one takes long, they are fewer."""

_PROGRESS_SECONDS = 0.5


@dataclass(frozen=True)
class StackProgress:
    """What a worker tells while it trains.

    Args:
        stack: id of the stack.
        epoch: epochs done.
        epochs: epochs in all.
        runs: number of runs of each condition in the stack.
        test_error: newest mean test error of each condition in the stack.
        note: a line to say, if there is something unusual about the stack.
    """

    stack: str
    epoch: int
    epochs: int
    runs: dict[str, int]
    test_error: dict[str, float] = field(default_factory=dict)
    note: str = ""


class StackRunner:
    """Trains stacks of one study, keeping the data between them.

    Args:
        directory: where results and checkpoints go.
        allow_code: whether models and recipes may come from an import path.
        tell: called with a :class:`StackProgress` now and then.
        should_stop: asked after every step; when it says yes, the state is saved and :class:`Interrupted` raised.
        checkpoint_seconds: time between two checkpoints.
        saved: called with the file of each checkpoint that was written, the stack's own or one for another stack.
    """

    def __init__(
        self,
        directory: RunDirectory,
        *,
        allow_code: bool,
        tell: Callable[[StackProgress], None],
        should_stop: Callable[[], bool],
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        saved: Callable[[Path], None] | None = None,
    ) -> None:
        self.directory, self.allow_code = directory, allow_code
        self.tell, self.should_stop = tell, should_stop
        self.checkpoint_seconds = checkpoint_seconds
        self._saved = saved
        self._datasets: dict[str, Dataset] = {}
        self._forked: dict[str, float] | None = None  # epochs and seconds of the present stack that another one spent

    def run(self, task: StackTask, forks: Forks | None = None) -> None:
        """Train a stack from its last checkpoint, if it has one, and write its result.

        One that does not fit into memory is halved, and one whose model is the user's own and cannot be mapped after
        all is trained run by run, see :mod:`overmix.study.run.parts`.

        Args:
            task: the stack.
            forks: the stacks that can go on from its states, see :mod:`overmix.study.plan.forks`.

        Raises:
            Interrupted: if it should stop; a checkpoint is written then.
            OvermixError: if the stack cannot be trained or its files not be written.
        """
        try:
            self._run_whole(task, forks)
            return
        except (Interrupted, OvermixError):
            raise
        except Exception as error:
            parts, why = self._parts(task, error)
        # Outside of the handler: the traceback holds what takes the memory.
        self.tell(StackProgress(task.id, 0, task.cells[0].train.epochs, {}, note=why))
        self._run_parts(task, parts)

    def _parts(self, task: StackTask, error: Exception) -> tuple[list[StackTask], str]:
        """Return how to train a stack that failed, and what to say; raise the error if there is no way."""
        runs = len(task.cells)
        if out_of_memory(error):
            if runs == 1:
                raise OvermixError(
                    "there is not enough memory for a single run: use fewer --workers, or a smaller model or batch"
                ) from None
            return halves(task), f"a stack of {runs} runs does not fit into memory: it is trained in halves"
        if task.execution == "stacked" and any(cell.import_paths for cell in task.cells):
            told = (str(error).splitlines() or [type(error).__name__])[0]
            return one_by_one(task), f"a stack of {runs} runs cannot be mapped ({told}): they are trained one by one"
        raise error

    def _run_parts(self, task: StackTask, parts: Sequence[StackTask]) -> None:
        """Train the parts of a stack that are missing, and write the result of the whole."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        results = []
        for part in parts:
            file = self.directory.result_file(part)
            saved = load_tensors(file, part.id)
            if saved is None:
                self.run(part)
                saved = load_tensors(file, part.id)
            if saved is None:
                raise RunDirectoryError(f"{file}: it was damaged while it was written: run the same command again")
            results.append(saved)
        save_tensors(self.directory.result_file(task), *joined(task, results))
        self.directory.checkpoint_file(task).unlink(missing_ok=True)
        for part in parts:
            self.directory.result_file(part).unlink(missing_ok=True)

    def _run_whole(self, task: StackTask, forks: Forks | None) -> None:
        training = training_of(task, self._dataset(task), allow_code=self.allow_code)
        self._check_code(task)
        spent = self._restore(task, training)
        watch = _Watch(self, task, training, spent, forks or {})
        result = training.train(after_step=watch)
        save_tensors(
            self.directory.result_file(task),
            result_tensors(result),
            {
                "stack": task.id,
                "cells": [cell.id for cell in task.cells],
                "seconds": round(watch.spent(), 3),
                "steps_per_epoch": result.steps_per_epoch,
                "n_test": result.n_test,
                "labels": result.labels,
                "class_counts": class_counts(training),
                "n_val": len(training.planner.replicas[0].val_index),
                "switch_at": None if result.switch_at is None else result.switch_at.tolist(),
                "cost": None if result.cost is None else result.cost.tolist(),
                "forked": self._forked,
            },
        )
        self.directory.checkpoint_file(task).unlink(missing_ok=True)

    def save(self, task: StackTask, training: StackTraining, seconds: float) -> None:
        """Write a checkpoint."""
        header = {"stack": task.id, "seconds": seconds, "forked": self._forked}
        self._write(self.directory.checkpoint_file(task), training.state_dict(), header)

    def fork(self, training: StackTraining, tasks: Iterable[StackTask], seconds: float) -> None:
        """Leave the state to stacks that can go on from it, unless they have begun, or there is no space for it."""
        for task in tasks:
            place = self.directory.checkpoint_file(task)
            if place.exists() or self.directory.result_file(task).exists():
                continue
            state = training.state_dict()
            if self.directory.has_room_for_fork(sum(tensor.nbytes for tensor in state.values())):
                forked = {"epoch": training.epoch, "seconds": seconds}
                self._write(place, state, {"stack": task.id, "seconds": seconds, "forked": forked})

    def _write(self, place: Path, state: dict[str, Tensor], header: dict[str, Any]) -> None:
        save_tensors(place, state, header)
        if self._saved is not None:
            self._saved(place)

    def _restore(self, task: StackTask, training: StackTraining) -> float:
        self._forked = None
        saved = load_tensors(self.directory.checkpoint_file(task), task.id)
        if saved is None:
            return 0.0
        tensors, header = saved
        training.load_state_dict(tensors)
        self._forked = header.get("forked")
        return float(header["seconds"])

    def _dataset(self, task: StackTask) -> Dataset:
        data = task.cells[0].data
        key = pool_key(data)
        if key not in self._datasets:
            dataset = open_dataset(data)
            # The file may have been written again since the study was checked.
            self.directory.check_data(key, data_digest(dataset))
            self._datasets = {key: dataset}
        return self._datasets[key]

    def _check_code(self, task: StackTask) -> None:
        for name in {name for cell in task.cells for name in cell.import_paths}:
            self.directory.check_code(name, code_digest(name))


class _Watch:
    """Looks at the clock after every step."""

    def __init__(
        self, runner: StackRunner, task: StackTask, training: StackTraining, spent: float, forks: Forks
    ) -> None:
        self.runner, self.task, self.forks = runner, task, forks
        self._begin = time.monotonic() - spent
        self._told = time.monotonic()
        self._save_at = self._told + runner.checkpoint_seconds
        self._tell(training)

    def spent(self) -> float:
        """Seconds of work in this stack, those before an interruption included."""
        return time.monotonic() - self._begin

    def __call__(self, training: StackTraining) -> None:
        now = time.monotonic()
        if training.step == 0 and training.epoch in self.forks:
            self.runner.fork(training, self.forks[training.epoch], self.spent())
        if self.runner.should_stop():
            self.runner.save(self.task, training, self.spent())
            raise Interrupted
        if now > self._save_at and not training.done:
            self.runner.save(self.task, training, self.spent())
            saved = time.monotonic()
            self._save_at = saved + max(self.runner.checkpoint_seconds, (saved - now) / _MOST_SAVING)
        if now - self._told > _PROGRESS_SECONDS or training.done:
            self._tell(training)
            self._told = now

    def _tell(self, training: StackTraining) -> None:
        conditions = [cell.condition for cell in self.task.cells]
        newest = training.latest()
        means = {}
        if newest:
            errors = newest["test_error"]
            means = {name: float(errors[[c == name for c in conditions]].mean()) for name in dict.fromkeys(conditions)}
        self.runner.tell(StackProgress(self.task.id, training.epoch, training.epochs, dict(Counter(conditions)), means))


def class_counts(training: StackTraining) -> list[list[int]]:
    """Return how many training samples of each class every replica has; of none where labels are no classes."""
    y, num_classes = training.planner.labels.classes, training.data.num_classes
    if y is None:
        return [[] for _ in training.planner.replicas]
    own = [y[replica.train_index] for replica in training.planner.replicas]
    return [np.bincount(classes[classes >= 0], minlength=num_classes).tolist() for classes in own]


def result_tensors(result: StackResult) -> dict[str, torch.Tensor]:
    """Return a stack's result as named tensors, ready for a file."""
    arrays: dict[str, Any] = {
        "epochs": result.epochs,
        "mix_loss": result.mix_loss,
        "mix_floor": result.mix_floor,
        "mixing": result.mixing,
        "lr": result.lr,
        "wrong": result.wrong,
        **result.metrics,
        **result.tracked,
    }
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
