"""A study that is checked against its data and models, before any work starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from overmix.errors import ConfigError
from overmix.study.data import Dataset
from overmix.study.plan.cells import Cell, StackTask, expand, layout
from overmix.study.plan.memory import check_model_fits, refusing_what_does_not_fit
from overmix.study.plan.trainings import (
    by_pool,
    code_digest,
    data_digest,
    execution_of,
    model_factory,
    open_dataset,
    replica_of,
    stacking_obstacle,
    training_of,
)
from overmix.study.spec.schema import ConditionSpec, StudySpec
from overmix.study.spec.validation import condition_label, within
from overmix.train import Execution


@dataclass(frozen=True)
class StudyPlan:
    """The stacks of a study that has been checked down to the last sample.

    Args:
        spec: the study, its device resolved.
        tasks: all stacks.
        data: per pool of samples, a hash of the arrays.
        code: per model or recipe that is named by an import path, a hash of its file.
        notes: what there is to say about it, a line each.
    """

    spec: StudySpec
    tasks: list[StackTask]
    data: dict[str, str]
    code: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> list[Cell]:
        """All cells, in the order of the stacks."""
        return [cell for task in self.tasks for cell in task.cells]


def plan_study(spec: StudySpec, *, allow_code: bool = False) -> StudyPlan:
    """Check a study against its data and models, and lay out its stacks.

    Raises:
        ConfigError: if samples, classes or batches do not exist as asked for, a model does not fit the samples, or the
            device is not there.
        DataError: if the data cannot be trained on.
    """
    spec = spec.model_copy(update={"device": resolve_device(spec.device)})
    conditions = dict(zip(spec.condition_names, spec.compare, strict=True))
    check = _Check(conditions, spec.device, allow_code)
    cells = expand(spec)
    for key, drawing in by_pool(cells).items():
        check.pool(key, drawing)
    return StudyPlan(spec, layout(cells, check.executions, spec.device), check.data, check.code, tuple(check.notes))


@dataclass
class _Check:
    """Goes through the cells of a study and keeps what it learns."""

    conditions: Mapping[str, ConditionSpec]
    device: str
    allow_code: bool
    data: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def pool(self, key: str, cells: list[Cell]) -> None:
        """Check the cells that draw their samples from one pool."""
        with within(self._where(cells[0], "data")):
            dataset = open_dataset(cells[0].data)
        self.data[key] = data_digest(dataset)
        # The samples depend on data and seed alone, and all seeds of a condition have equally many.
        for cell in {(str(cell.data), cell.seed): cell for cell in reversed(cells)}.values():
            with within(self._where(cell, "data")):
                replica_of(cell, dataset)
        for cell in {cell.condition: cell for cell in reversed(cells)}.values():
            self._condition(cell, dataset)

    def _condition(self, cell: Cell, dataset: Dataset) -> None:
        with within(self._where(cell, "train")):
            _check_batch(cell, len(replica_of(cell, dataset).train_index))
        with within(self._where(cell, "model")), refusing_what_does_not_fit(cell.model.name):
            check_model_fits(model_factory(cell, dataset, allow_code=self.allow_code), cell.model.name)
            if cell.shape_key not in self.executions:
                self.executions[cell.shape_key] = execution_of(cell, dataset, self.device, allow_code=self.allow_code)
                self._say_why_looped(cell, dataset)
            self.code |= {name: code_digest(name) for name in cell.import_paths}
        with within(self._where(cell, "")), refusing_what_does_not_fit(cell.model.name):
            training_of(StackTask((cell,), self.executions[cell.shape_key], "cpu"), dataset, allow_code=self.allow_code)

    def _say_why_looped(self, cell: Cell, dataset: Dataset) -> None:
        """Note that a user's model cannot be stacked; for the models that come with overmix, that is no news."""
        if ":" in cell.model.name and self.executions[cell.shape_key] == "looped":
            obstacle = stacking_obstacle(cell, dataset, allow_code=self.allow_code)
            if obstacle:
                self.notes[f"{cell.model.name} cannot be stacked ({obstacle}): its runs are trained one by one"] = None

    def _where(self, cell: Cell, part: str) -> str:
        """Return how errors call the cell's condition; nothing if it has the part from the study itself."""
        condition = self.conditions[cell.condition]
        own = part == "" or bool(getattr(condition, part))
        return condition_label(condition.model_dump(), 0) if own else ""


def _check_batch(cell: Cell, train_size: int) -> None:
    batch_size = cell.train.batch_size
    if batch_size > train_size:
        raise ConfigError(
            "train.batch_size",
            batch_size,
            f"use at most {train_size}, the number of training samples: the last, incomplete batch is dropped, so "
            "nothing would be trained",
        )


def resolve_device(device: str) -> str:
    """Return the device that ``auto`` stands for here, or the device itself if it exists.

    Raises:
        ConfigError: if it does not.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device)
    except RuntimeError:
        raise ConfigError("device", device, "use auto, cpu, cuda or cuda:N") from None
    if kind.type == "cuda" and (kind.index or 0) >= torch.cuda.device_count():
        raise ConfigError("device", device, f"there are {torch.cuda.device_count()} CUDA devices here: use cpu or auto")
    if kind.type not in ("cpu", "cuda"):
        raise ConfigError("device", device, "use auto, cpu, cuda or cuda:N")
    return "cpu" if kind.type == "cpu" else device
