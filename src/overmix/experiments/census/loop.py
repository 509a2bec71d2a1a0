"""The loop of a user over :class:`overmix.Epochs`, for rows that no study trains: one seed, all conditions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from overmix.experiments.census.loop_row import LoopRow
from overmix.experiments.census.task import Data, Score, Task, batches, evaluated
from overmix.mix import Recipe, Streams
from overmix.switch import AutoSwitch, Epoch, Epochs, Policy, Schedule, always, off_at

Arrays = dict[str, np.ndarray]


def train(
    task: Task,
    data: Data,
    recipe: Recipe,
    switch: Schedule | Policy,
    seed: int,
    look: Callable[[nn.Module, int], None] = lambda model, done: None,
) -> tuple[nn.Module, Epochs]:
    """Train a model of a task; runs with one seed have the same initial weights, order of samples and mixing draws.

    Args:
        task: model, optimizer and loss.
        data: of the seed.
        recipe: how batches are mixed.
        switch: when.
        seed: of the run.
        look: called after each epoch of the run itself, not of probes, with the model and the number of epochs done.

    Returns:
        The model, and the run, which knows what was decided.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Streams(replica_seed=seed).torch_seed("init"))
        return _train(task, data, recipe, switch, seed, look)


def _train(
    task: Task,
    data: Data,
    recipe: Recipe,
    switch: Schedule | Policy,
    seed: int,
    look: Callable[[nn.Module, int], None],
) -> tuple[nn.Module, Epochs]:
    model = task.model()
    optimizer = task.optimizer(model)
    scheduler = task.scheduler(optimizer, task.epochs * math.ceil(len(data.train) / task.batch_size))
    state = {"model": model, "optimizer": optimizer} | ({} if scheduler is None else {"scheduler": scheduler})
    run = Epochs(task.epochs, mix=recipe, switch=switch, seed=seed, state=state)
    for epoch in run:
        _train_epoch(task, data, recipe, run, epoch, model, optimizer, scheduler)
        if epoch.kind != "probe":
            look(model, epoch.index + 1)
    return model, run


def _train_epoch(
    task: Task,
    data: Data,
    recipe: Recipe,
    run: Epochs,
    epoch: Epoch,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None,
) -> None:
    for batch in batches(data.train, task.batch_size, run.streams, epoch.index):
        rng = run.streams.generator("augmentation", epoch=epoch.index, step=epoch.step)
        torch.manual_seed(run.streams.torch_seed("dropout", epoch=epoch.index, step=epoch.step))
        batch = task.prepare(model, batch)
        plan = epoch.plan(batch.x, batch.y, features=task.features(model, batch), domain=batch.domain)
        optimizer.zero_grad()
        task.loss(model, batch, recipe, plan, rng).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if scheduler is not None and epoch.kind != "probe":  # a probe has a learning rate of its own
            scheduler.step()
    if run.policy is not None and epoch.scored:
        epoch.observe(*evaluated(lambda: task.look(model, data.val), model))


def look_epochs(epochs: int, looks: int = 24) -> list[int]:
    """Return epochs on a log grid from 1 to the last, both included.

    Example:
        >>> look_epochs(8)
        [1, 2, 3, 4, 5, 6, 7, 8]
    """
    return sorted({round(epoch) for epoch in np.geomspace(1, epochs, looks)})


def run_seed(row: LoopRow, seed: int) -> Arrays:
    """Train all conditions of a row with one seed.

    Returns:
        By name: ``value/<condition>``, ``val/<condition>``, ``ece/<condition>`` at the end, ``wrong/<condition>`` where
        the metric is an error, ``further/<metric>/<condition>``; of baselines too, but for ``val``. ``curve/on`` and
        ``curve/erm`` on the epochs of ``looks``, and ``curve_wrong/...``.
        ``auto/switch_at``, ``auto/cost``; ``seconds`` of one core.
    """
    began = time.process_time()
    task, data = row.task, row.task.data(Streams(replica_seed=seed))
    looks = look_epochs(task.epochs)
    arrays: Arrays = {"looks": np.array(looks)}
    runs: dict[str, tuple[Recipe, Schedule | Policy]] = {
        **{f"off@{epoch}": (row.recipe, off_at(epoch)) for epoch in row.grid[:-1]},
        f"off@{task.epochs}": (row.recipe, always()),
        **{name: (control.recipe, control.schedule) for name, control in row.controls.items()},
        "auto": (row.recipe, AutoSwitch(anywhere=True)),
    }
    for name, (recipe, switch) in runs.items():
        seen: list[Score] = []

        def look(model: nn.Module, done: int, seen: list[Score] = seen) -> None:
            if done in looks:
                seen.append(evaluated(lambda: task.score(model, data.test), model))

        curve = {f"off@{task.epochs}": "on", row.erm: "erm"}.get(name)
        model, run = train(task, data, recipe, switch, seed, *([look] if curve else []))
        arrays |= _at_the_end(name, task, data, model)
        if curve:
            arrays |= _curve(curve, seen)
    for name in task.baselines:
        arrays |= _scored(name, task.baseline(name, data))
    decided = run.decision.switch_at  # of the last run, AutoSwitch's
    arrays["auto/switch_at"] = np.array(task.epochs if decided is None else decided)
    arrays["auto/cost"] = np.array(run.cost)
    arrays["seconds"] = np.array(time.process_time() - began)
    return arrays


def _curve(name: str, seen: list[Score]) -> Arrays:
    arrays = {f"curve/{name}": np.array([score.value for score in seen])}
    if seen[0].wrong is not None:
        arrays[f"curve_wrong/{name}"] = np.stack([_bits(score) for score in seen])
    return arrays


def _at_the_end(name: str, task: Task, data: Data, model: nn.Module) -> Arrays:
    test, val = evaluated(lambda: (task.score(model, data.test), task.score(model, data.val)), model)
    return {**_scored(name, test), f"val/{name}": np.array(val.value)}


def _scored(name: str, test: Score) -> Arrays:
    arrays = {f"value/{name}": np.array(test.value)}
    if test.ece is not None:
        arrays[f"ece/{name}"] = np.array(test.ece)
    if test.wrong is not None:
        arrays[f"wrong/{name}"] = _bits(test)
    return arrays | {f"further/{metric}/{name}": np.array(value) for metric, value in test.further.items()}


def _bits(score: Score) -> Any:
    assert score.wrong is not None
    return score.wrong.astype(bool)
