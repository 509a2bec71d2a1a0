"""Finished trainings: one, and all of one condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overmix.diagnose import Role
from overmix.diagnose.practical import Unit
from overmix.mix import LabelKind
from overmix.study.plan.cells import Cell
from overmix.study.spec.named import NamedRecipe
from overmix.study.spec.schema import ConditionSpec
from overmix.study.spec.training import TrainSpec
from overmix.train import diverged


@dataclass(frozen=True)
class CellResult:
    """One finished training.

    Args:
        cell: what was trained.
        epochs: evaluated epochs, shape (T,).
        values: per metric, shape (T,).
        wrong: misclassified test samples, shape (T, M), 0 or 1; for labels that are no classes the error of each.
        class_counts: training samples of each class.
        steps_per_epoch: optimizer steps in one epoch.
        seconds: wall-clock time of its share of the stack.
        switch_at: epochs of Mixup that it decided on, if it decided by itself.
        cost: epochs trained to decide and to end so, over those of one run.
        forked_at: how many of its epochs were trained by the run that it went on from.
        forked_seconds: how much of its time that took.
        labels: what a label is.
        n_val: held-out samples.
        test_classes: of the test samples, shape (M,); ``None`` where labels are no classes, or the data are gone.
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
    labels: LabelKind = "classes"
    n_val: int = 0
    test_classes: np.ndarray | None = None

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
        return self.n_val > 0

    @property
    def diverged(self) -> bool:
        """Whether it ended with a loss that is not finite, or beyond all hope."""
        held = "test_cross_entropy" if self.labels == "classes" else "test_error"
        return bool(diverged(self.values["mix_loss"][-1:], self.values[held][-1:])[0])

    @property
    def unit(self) -> Unit:
        """What its errors are: shares of wrong samples or labels, or other numbers."""
        return "fraction" if self.labels in ("classes", "rows") else "value"

    @property
    def score(self) -> str:
        """Name of what decisions are made by: the Brier score of classes."""
        return "brier" if self.labels == "classes" else "score"

    def is_without(self, name: str) -> bool:
        """Return whether a metric does not exist: its split is empty, or it is none of labels of this kind."""
        if name.startswith("val_") and not self.has_validation:
            return True
        return self.labels != "classes" and name.endswith(("_cross_entropy", "_brier", "_ece", "_margin"))


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
