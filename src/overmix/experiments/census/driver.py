"""One seed of a row: ERM, the recipe all along, switched off on a grid, its controls, and AutoSwitch.

Every training is the loop of a user over :class:`overmix.Epochs`. Up to its switch a switched run is the run that
mixes all along, bit for bit, so that it begins from a snapshot of that one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from overmix.experiments.census.row import Row
from overmix.experiments.census.task import Score, Task, batches, evaluated
from overmix.mix import Recipe, Streams
from overmix.switch import AutoSwitch, Epoch, Epochs, Policy, Schedule, always, off_at
from overmix.switch.position import Position
from overmix.switch.registered import Registered
from overmix.switch.snapshot import Snapshot, restore, take

Arrays = dict[str, np.ndarray]
Watch = Callable[[int], None]
"""Called before the first epoch and after each one, with the number of epochs done."""


class Training:
    """A model of a task, its optimizer, and the loop that trains it.

    Args:
        task: what is learned.
        seed: trainings with one seed have the same samples, initial weights and order.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed
        streams = Streams(replica_seed=seed)
        self.data = task.data(streams)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(streams.torch_seed("init"))
            self.model = task.model()
        self.optimizer = task.optimizer(self.model)
        self.state = {"model": self.model, "optimizer": self.optimizer}

    def run(self, recipe: Recipe, switch: Schedule | Policy, watch: Watch | None = None, start: int = 0) -> Epochs:
        """Train from an epoch on to the end.

        Args:
            recipe: how batches are mixed.
            switch: when.
            watch: called after each epoch of the run itself, not of probes.
            start: epochs that the model has been trained for already.
        """
        run = Epochs(self.task.epochs, mix=recipe, switch=switch, seed=self.seed, state=self.state)
        if start:
            run.load_state_dict({**run.state_dict(), "position": asdict(Position(start, reached=start))})
        if watch:
            watch(start)
        for epoch in run:
            self._epoch(run, epoch, recipe)
            if watch and epoch.kind != "probe":
                watch(epoch.index + 1)
        return run

    def _epoch(self, run: Epochs, epoch: Epoch, recipe: Recipe) -> None:
        task, model = self.task, self.model
        wants_features = "features" in recipe.needs
        for batch in batches(self.data.train, task.batch_size, run.streams, epoch.index):
            rng = run.streams.generator("augmentation", epoch=epoch.index, step=epoch.step)
            batch = task.prepare(model, batch)
            features = task.features(model, batch) if wants_features else None
            plan = epoch.plan(batch.x, batch.y, features=features, domain=batch.domain)
            self.optimizer.zero_grad()
            task.loss(model, batch, recipe, plan, rng).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        if run.policy is not None and epoch.scored:
            epoch.observe(*evaluated(lambda: task.look(model, self.data.val), model))

    def scores(self) -> tuple[Score, Score]:
        """Return what the model is worth on test and held-out samples."""
        task, model, data = self.task, self.model, self.data
        found: tuple[Score, Score] = evaluated(
            lambda: (task.score(model, data.test), task.score(model, data.val)), model
        )
        return found

    def snapshot(self) -> Snapshot:
        """Return the state of model and optimizer."""
        return take(Registered(self.state))

    def go_back(self, snapshot: Snapshot) -> None:
        """Set model and optimizer back."""
        restore(Registered(self.state), snapshot)


def look_epochs(epochs: int, looks: int = 24) -> list[int]:
    """Return epochs on a log grid from 1 to the last, both included.

    Example:
        >>> look_epochs(8)
        [1, 2, 3, 4, 5, 6, 7, 8]
    """
    return sorted({round(epoch) for epoch in np.geomspace(1, epochs, looks)})


def run_seed(row: Row, seed: int) -> Arrays:
    """Train all conditions of a row with one seed.

    Returns:
        By name: ``value/<condition>``, ``val/<condition>``, ``ece/<condition>`` at the end, ``wrong/<condition>`` where
        the metric is an error; conditions are ``off@<epoch>`` (0 is plain training, the last epoch the recipe all
        along), controls, and ``auto``. ``curve/on`` and ``curve/erm`` on the epochs of ``looks``, and
        ``curve_wrong/...``. ``auto/switch_at``, ``auto/cost``; ``seconds`` of one core.
    """
    began = time.process_time()
    arrays: Arrays = {"looks": np.array(look_epochs(row.task.epochs))}
    training = Training(row.task, seed)
    snapshots: dict[int, Snapshot] = {}
    grid = row.grid

    def watch(done: int) -> None:
        if done in grid[:-1]:
            snapshots[done] = training.snapshot()

    _curve(arrays, "on", training, row.recipe, always(), watch)
    _end(arrays, f"off@{grid[-1]}", training)
    for epoch in grid[:-1]:
        training.go_back(snapshots[epoch])
        if epoch == 0 and row.erm == "off@0":
            _curve(arrays, "erm", training, row.recipe, off_at(0))
        else:
            training.run(row.recipe, off_at(epoch), start=epoch)
        _end(arrays, f"off@{epoch}", training)
    for name, control in row.controls.items():
        training.go_back(snapshots[0])
        if name == row.erm:
            _curve(arrays, "erm", training, control.recipe, control.schedule)
        else:
            training.run(control.recipe, control.schedule)
        _end(arrays, name, training)
    training.go_back(snapshots[0])
    run = training.run(row.recipe, AutoSwitch(anywhere=True))
    _end(arrays, "auto", training)
    decided = run.decision.switch_at
    arrays["auto/switch_at"] = np.array(row.task.epochs if decided is None else decided)
    arrays["auto/cost"] = np.array(run.cost)
    arrays["seconds"] = np.array(time.process_time() - began)
    return arrays


def _curve(
    arrays: Arrays, name: str, training: Training, recipe: Recipe, switch: Schedule, watch: Watch | None = None
) -> None:
    looks, seen = set(arrays["looks"].tolist()), []

    def look(done: int) -> None:
        if watch:
            watch(done)
        if done in looks:
            seen.append(training.scores()[0])

    training.run(recipe, switch, look)
    arrays[f"curve/{name}"] = np.array([score.value for score in seen])
    if seen[0].wrong is not None:
        arrays[f"curve_wrong/{name}"] = np.stack([_bits(score) for score in seen])


def _end(arrays: Arrays, name: str, training: Training) -> None:
    test, val = training.scores()
    arrays[f"value/{name}"], arrays[f"val/{name}"] = np.array(test.value), np.array(val.value)
    if test.ece is not None:
        arrays[f"ece/{name}"] = np.array(test.ece)
    if test.wrong is not None:
        arrays[f"wrong/{name}"] = _bits(test)


def _bits(score: Score) -> Any:
    assert score.wrong is not None
    return score.wrong.astype(bool)
