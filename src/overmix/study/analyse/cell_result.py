"""Finished trainings: one, and all of one condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overmix.diagnose import Role
from overmix.study.plan.cells import Cell
from overmix.study.spec.named import NamedRecipe
from overmix.study.spec.schema import ConditionSpec, TrainSpec
from overmix.train import diverged


@dataclass(frozen=True)
class CellResult:
    """One finished training.

    Args:
        cell: what was trained.
        epochs: evaluated epochs, shape (T,).
        values: per metric, shape (T,).
        wrong: misclassified test samples, shape (T, M), 0 or 1.
        class_counts: training samples of each class.
        steps_per_epoch: optimizer steps in one epoch.
        seconds: wall-clock time of its share of the stack.
        switch_at: epochs of Mixup that it decided on, if it decided by itself.
        cost: epochs trained to decide and to end so, over those of one run.
        forked_at: how many of its epochs were trained by the run that it went on from.
        forked_seconds: how much of its time that took.
    """

    cell: Cell
    epochs: np.ndarray
    values: Mapping[str, np.ndarray]
    wrong: np.ndarray
    class_counts: list[int]
    steps_per_epoch: int
    seconds: float
    switch_at: int | None = None
    cost: float = 1.0
    forked_at: int = 0
    forked_seconds: float = 0.0

    @property
    def condition(self) -> str:
        """Name of the condition."""
        return self.cell.condition

    @property
    def seed(self) -> int:
        """Replica seed."""
        return self.cell.seed

    @property
    def has_validation(self) -> bool:
        """Whether samples were held out."""
        return self.cell.data.val_size > 0

    @property
    def diverged(self) -> bool:
        """Whether it ended with a loss that is not finite, or beyond all hope."""
        return bool(diverged(self.values["mix_loss"][-1:], self.values["test_cross_entropy"][-1:])[0])


@dataclass(frozen=True)
class ConditionResult:
    """All finished trainings of one condition."""

    spec: ConditionSpec
    name: str
    role: Role
    cells: list[CellResult]

    @property
    def alive(self) -> list[CellResult]:
        """Those that did not diverge."""
        return [cell for cell in self.cells if not cell.diverged]

    @property
    def train(self) -> TrainSpec:
        """How they were trained."""
        return self.cells[0].cell.train

    @property
    def recipe(self) -> NamedRecipe:
        """How they mixed."""
        return self.cells[0].cell.recipe

    @property
    def epochs(self) -> int:
        """Length of the training."""
        return self.train.epochs
