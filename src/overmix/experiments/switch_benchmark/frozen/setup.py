"""From a training of the list to stacks that the study engine trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from overmix.experiments.switch_benchmark.frozen.data import data_file
from overmix.experiments.switch_benchmark.frozen.pretrained import WIDTH, weights_file
from overmix.experiments.switch_benchmark.frozen.trainings import RECIPES, Training
from overmix.study import parse_study
from overmix.study.data import Dataset
from overmix.study.plan.cells import Cell, StackTask, expand
from overmix.study.plan.trainings import execution_of, open_dataset, training_of
from overmix.train import Execution, StackTraining

WrittenSchedule = str | Mapping[str, Any]
"""As a study file writes it."""


@dataclass(frozen=True)
class Settings:
    """What is tuned.

    Args:
        lr: learning rate.
        weight_decay: coefficient.
    """

    lr: float
    weight_decay: float


@dataclass(frozen=True)
class Setup:
    """A training of the list with its data.

    Args:
        training: of the list.
        folder: where the arrays and the pretrained weights are, or are written.
    """

    training: Training
    folder: Path

    @cached_property
    def dataset(self) -> Dataset:
        """Its data set."""
        return open_dataset(self._cells(Settings(0.1, 0.0), "always", [0])[0].data)

    @cached_property
    def _execution(self) -> Execution:
        return execution_of(self._cells(Settings(0.1, 0.0), "always", [0])[0], self.dataset, "cpu", allow_code=True)

    def stack(
        self,
        settings: Settings | Sequence[Settings],
        schedule: WrittenSchedule,
        *,
        seeds: Sequence[int] | None = None,
        epochs: int | None = None,
        recipe: dict[str, Any] | None = None,
    ) -> StackTraining:
        """Return the runs of a schedule, one per seed, or per setting and seed.

        Args:
            settings: of all runs, or several, each with all seeds.
            schedule: when they mix.
            seeds: by default the training's own.
            epochs: length, likewise.
            recipe: how they mix, likewise.
        """
        every = [settings] if isinstance(settings, Settings) else settings
        seeds = range(self.training.seeds) if seeds is None else seeds
        cells = [cell for one in every for cell in self._cells(one, schedule, seeds, epochs, recipe)]
        return training_of(StackTask(tuple(cells), self._execution, "cpu"), self.dataset, allow_code=True)

    def _cells(
        self,
        settings: Settings,
        schedule: WrittenSchedule,
        seeds: Sequence[int],
        epochs: int | None = None,
        recipe: dict[str, Any] | None = None,
    ) -> list[Cell]:
        training = self.training
        spec = {
            "name": training.name,
            "data": {
                "name": "npz",
                "path": str(data_file(self.folder, training.data)),
                "train_size": training.train_size,
                "val_size": training.val_size,
                "balanced": training.data.startswith("fashion"),
            },
            "model": self._model(),
            "train": {
                "epochs": epochs or training.epochs,
                "batch_size": training.batch_size,
                "optimizer": {
                    "name": training.optimizer,
                    "lr": settings.lr,
                    "weight_decay": settings.weight_decay,
                },
                "lr_schedule": {"name": "cosine"},
            },
            "compare": [{"name": "Mixup", "recipe": recipe or RECIPES[training.recipe], "schedule": schedule}],
            "seeds": list(seeds),
        }
        return expand(parse_study(spec, allow_code=True))

    def _model(self) -> dict[str, Any]:
        match self.training.model:
            case "mlp":
                return {"name": "mlp", "hidden": [128, 128]}
            case "convnet":
                return {"name": "convnet", "width": WIDTH}
            case "residual":
                return {"name": "resnet8", "width": 4}
            case "tuned":
                weights = weights_file(self.folder, self.training.data)
                return {"name": f"{weights_file.__module__}:tuned", "weights": str(weights)}


def longer(training: Training, factor: float) -> Training:
    """Return the training at so many times its length."""
    return replace(training, epochs=round(factor * training.epochs))
