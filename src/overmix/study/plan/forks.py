"""Shared beginnings: a run that switches Mixup off goes on from the state of the run that never does.

Every random number has an address, so that up to its switch a switched run is the run of Mixup to the end, bit for bit.
A stack of the latter leaves its state at the epoch of the switch as the checkpoint of the switched stack, which goes on
from there as it would from a checkpoint of its own. Nothing depends on it but the time: a stack that finds no such
checkpoint trains from the start, to the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from overmix.study.plan.cells import Cell, StackTask
from overmix.study.spec.plain import digest

Forks = Mapping[int, Collection[StackTask]]
"""Per number of epochs done, the stacks that can go on from there."""


def with_forks(tasks: Sequence[StackTask]) -> list[tuple[StackTask, Forks]]:
    """Return stacks in an order in which shared beginnings come first, each with the stacks that can go on from it.

    Only stacks of the same runs in the same order share a beginning: those of seeds that fill whole stacks, or of a
    model that is not stacked.

    Args:
        tasks: stacks to train.
    """
    by_runs: dict[str, list[StackTask]] = {}
    for task in tasks:
        by_runs.setdefault(_runs(task), []).append(task)
    forks: dict[str, dict[int, list[StackTask]]] = {}
    for group in by_runs.values():
        trunk = next((task for task in group if _mixed_until(task) == _epochs(task)), None)
        for task in group if trunk else ():
            at = _mixed_until(task)
            if trunk and 0 < at < _epochs(task):
                forks.setdefault(trunk.id, {}).setdefault(at, []).append(task)
    branches = {task.id for at in forks.values() for members in at.values() for task in members}

    def late(task: StackTask) -> int:
        return 0 if task.id in forks else 2 if task.id in branches else 1

    return [(task, forks.get(task.id, {})) for task in sorted(tasks, key=late)]


def _runs(task: StackTask) -> str:
    """Return what the beginnings of its runs depend on."""
    contents = [{**cell.content, "schedule": None} for cell in task.cells]
    return digest([contents, task.execution, task.device])


def _mixed_until(task: StackTask) -> int:
    """Return how many epochs all of its runs mix, to go on in any way; -1 where that is not so simple."""
    return min(_mixes(cell) for cell in task.cells)


def _mixes(cell: Cell) -> int:
    mixed = cell.schedule.mixed_epochs(cell.train.epochs)
    return -1 if mixed is None else mixed


def _epochs(task: StackTask) -> int:
    return task.cells[0].train.epochs
