"""Runs a study: what is missing is trained, then everything is summarised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from overmix.errors import ConfigError
from overmix.study.cells import Cell, StackTask, expand, layout
from overmix.study.directory import RunDirectory
from overmix.study.executor import run_local, worker_count
from overmix.study.files import locked
from overmix.study.fingerprint import fingerprint
from overmix.study.prepare import data_digest, execution_of, open_dataset, replica_of
from overmix.study.result import write_results
from overmix.study.spec import StudySpec, resolved
from overmix.study.worker import Progress
from overmix.train import Execution


@dataclass(frozen=True)
class Prepared:
    """A study that has been checked down to the last sample, before any work starts.

    Args:
        spec: the study, its device resolved.
        tasks: all stacks.
        data_digests: per data description, a hash of the arrays.
    """

    spec: StudySpec
    tasks: list[StackTask]
    data_digests: dict[str, str]

    @property
    def cells(self) -> list[Cell]:
        """All cells, in the order of the stacks."""
        return [cell for task in self.tasks for cell in task.cells]


def prepare(spec: StudySpec, *, allow_code: bool = False) -> Prepared:
    """Check a study against its data and models, and lay out its stacks.

    Raises:
        ConfigError: if samples, classes or batches do not exist as asked for, or the device is not there.
        DataError: if the data cannot be trained on.
    """
    spec = spec.model_copy(update={"device": resolve_device(spec.device)})
    cells = expand(spec)
    digests: dict[str, str] = {}
    executions: dict[str, Execution] = {}
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(str(cell.content["data"]), []).append(cell)
    for description, group in groups.items():
        dataset = open_dataset(group[0].content["data"])
        digests[description] = data_digest(dataset)
        # The samples depend on the seed alone, so one cell per seed is enough to know that all can be drawn.
        for cell in {cell.seed: cell for cell in group}.values():
            replica = replica_of(cell, dataset)
            _check_batch(cell, len(replica.train_index))
        for cell in {cell.shape_key: cell for cell in group}.values():
            executions[cell.shape_key] = execution_of(cell, dataset, spec.device, allow_code=allow_code)
    return Prepared(spec, layout(cells, executions, spec.device), digests)


def _check_batch(cell: Cell, train_size: int) -> None:
    batch_size = cell.content["train"]["batch_size"]
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
    return device


@dataclass(frozen=True)
class Outlook:
    """What there is to do, told before it is done.

    Args:
        tasks: all stacks.
        missing: those that are not finished yet.
        epochs: of the longest training.
        workers: processes that will be used.
    """

    tasks: list[StackTask]
    missing: list[StackTask]
    epochs: int
    workers: int


def run_study(
    spec: StudySpec,
    out: Path,
    *,
    allow_code: bool = False,
    other_machine: bool = False,
    on_start: Callable[[Outlook], None] | None = None,
    tell: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Train what is missing in a run directory and write curves and summary.

    Args:
        spec: the study.
        out: the run directory; made if it does not exist, gone on with if it holds this study.
        allow_code: whether models may come from an import path.
        other_machine: go on although the directory was begun under another fingerprint.
        on_start: called once, before the first training.
        tell: called with each worker's progress.

    Returns:
        The summary, as it stands in ``summary.json``.

    Raises:
        OvermixError: for anything that the user can mend; nothing half written is left behind.
    """
    prepared = prepare(spec, allow_code=allow_code)
    directory = RunDirectory(out)
    marks = {"fingerprint": fingerprint(prepared.spec.device), "data": prepared.data_digests}
    directory.open()
    with locked(out):
        directory.adopt(resolved(prepared.spec), marks, other_machine=other_machine)
        missing = [task for task in prepared.tasks if not directory.result_file(task).exists()]
        workers = worker_count(spec.executor.workers, prepared.spec.device)
        if on_start is not None:
            epochs = max(cell.content["train"]["epochs"] for cell in prepared.cells)
            on_start(Outlook(prepared.tasks, missing, epochs, workers))
        run_local(missing, directory, workers=workers, allow_code=allow_code, tell=tell or (lambda _: None))
        return write_results(prepared.spec, prepared.tasks, directory, marks)
