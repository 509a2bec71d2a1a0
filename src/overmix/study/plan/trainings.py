"""From a stack's description to something that trains."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from overmix.errors import ConfigError
from overmix.mix import CrossEntropy, Objective, Streams, make_objective, usual_objective
from overmix.study.data import Dataset, fit_inputs, hold_out, load_dataset, split_indices
from overmix.study.models import build_model
from overmix.study.plan.cells import Cell, StackTask, data_content
from overmix.study.spec.default_compare import HELD_OUT
from overmix.study.spec.plain import canonical
from overmix.study.spec.schema import DataSpec
from overmix.switch import HeldOut, Policy, Schedule, always
from overmix.train import (
    DecidingTraining,
    Execution,
    FirstRun,
    ModelFactory,
    Normalization,
    RepeatedTraining,
    Replica,
    ResidentData,
    StackTraining,
    choose_execution,
    stacking_error,
)

_Training = TypeVar("_Training", bound=StackTraining)


def pool_key(data: DataSpec) -> str:
    """Return a cell's data as JSON without what is drawn from the pool: cells that share it share the pool."""
    return canonical(data_content(data, without=("train_size", "val_size", "balanced")))


def by_pool(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Return cells by the pool that they draw their samples from, so that one data set need be in memory at a time."""
    pools: dict[str, list[Cell]] = {}
    for cell in cells:
        pools.setdefault(pool_key(cell.data), []).append(cell)
    return pools


def open_dataset(data: DataSpec) -> Dataset:
    """Return the data set that a cell names."""
    return load_dataset(data.name, **data.options)


def replica_of(cell: Cell, dataset: Dataset) -> Replica:
    """Return the training run that a cell stands for, its samples drawn.

    Raises:
        ConfigError: if the data set does not have the samples asked for.
    """
    data, train = cell.data, cell.train
    streams = Streams(replica_seed=cell.seed)
    # Samples without a label are all trained on; how many others, and which are held out, is drawn.
    given = _given_validation(data, dataset)
    known = np.flatnonzero(dataset.labelled & ~given)
    drawn, held = split_indices(
        dataset.strata[known],
        train_size=data.train_size,
        val_size=0 if given.any() else data.val_size,
        balanced=data.balanced,
        subset_rng=streams.generator("subset"),
        val_rng=streams.generator("validation"),
        num_classes=dataset.num_strata,
    )
    schedule = cell.schedule.build()
    return Replica(
        streams=streams,
        recipe=cell.recipe.build(),
        schedule=always() if isinstance(schedule, Policy | HeldOut) else schedule,
        train_index=np.concatenate([known[drawn], np.flatnonzero(~dataset.labelled)]),
        val_index=np.flatnonzero(given) if given.any() else known[held],
        lr=train.optimizer.lr,
        lr_schedule=train.lr_schedule.build(),
        weight_decay=train.optimizer.weight_decay,
    )


def _given_validation(data: DataSpec, dataset: Dataset) -> np.ndarray:
    """Return which samples of the pool came as validation samples, shape (N,)."""
    if dataset.validation is None:
        return np.zeros(len(dataset.y), dtype=bool)
    # The default of a study without "compare" is no wish of the user's, and gives way.
    if data.val_size not in (0, HELD_OUT):
        count = int(dataset.validation.sum())
        raise ConfigError("data.val_size", data.val_size, f"leave it out: the data bring {count} validation samples")
    return dataset.validation.numpy()


def model_factory(cell: Cell, dataset: Dataset, *, allow_code: bool) -> ModelFactory:
    """Return a function that builds the cell's model, freshly initialised."""
    return partial(
        build_model,
        cell.model.name,
        sample_shape=tuple(dataset.x.shape[1:]),
        num_classes=dataset.num_classes,
        allow_code=allow_code,
        **cell.model.options,
    )


def execution_of(cell: Cell, dataset: Dataset, device: str, *, allow_code: bool) -> Execution:
    """Return whether stacks of the cell's shape are stacked or looped."""
    sample = dataset.x[:4].to(torch.float32).nan_to_num()
    return choose_execution(model_factory(cell, dataset, allow_code=allow_code), sample, torch.device(device))


def stacking_obstacle(cell: Cell, dataset: Dataset, *, allow_code: bool) -> str:
    """Return why models of the cell's shape cannot be stacked, in a line; nothing if they can."""
    sample = dataset.x[:4].to(torch.float32)
    error = stacking_error(model_factory(cell, dataset, allow_code=allow_code), sample)
    return "" if error is None else (str(error).splitlines() or [type(error).__name__])[0]


def training_of(task: StackTask, dataset: Dataset, *, allow_code: bool) -> StackTraining:
    """Return the training of a stack, ready to start or to load a checkpoint."""
    return training_with(task.cells[0].schedule.build(), task, dataset, allow_code=allow_code)


def training_with(
    schedule: Schedule | Policy | HeldOut, task: StackTask, dataset: Dataset, *, allow_code: bool = False
) -> StackTraining:
    """Return the training of a stack; what its cells name as schedule is looked at only if ``schedule`` is fixed.

    Raises:
        ConfigError: if it cannot be trained.
    """
    device = torch.device(task.device)
    first = task.cells[0]
    train = first.train
    resident = ResidentData(
        dataset.x, dataset.y, dataset.x_test, dataset.y_test, dataset.num_classes, dataset.labels, dataset.domain
    ).to(device)

    def stack(kind: Callable[..., _Training], replicas: list[Replica], track: Sequence[str] = train.track) -> _Training:
        return kind(
            factory=model_factory(first, dataset, allow_code=allow_code),
            data=resident,
            replicas=replicas,
            normalization=_normalization(dataset, replicas, device),
            optimizer=train.optimizer.build(),
            epochs=train.epochs,
            batch_size=train.batch_size,
            execution=task.execution,
            objective=_objective(train.objective, dataset),
            average=train.average,
            augment=train.augment.build() if train.augment else None,
            track=track,
        )

    replicas = [replica_of(cell, dataset) for cell in task.cells]
    if isinstance(schedule, HeldOut):
        parts = [_held_out(replica, dataset, schedule.share) for replica in replicas]
        _check_first_run(train.batch_size, parts[0])
        first_run = stack(partial(FirstRun, schedule.policy), parts, track=())
        return stack(partial(RepeatedTraining, first_run), replicas)
    if isinstance(schedule, Policy):
        return stack(partial(DecidingTraining, schedule), replicas)
    return stack(StackTraining, replicas)


def _objective(name: str, dataset: Dataset) -> Objective:
    """Return the objective; cross_entropy, the default, stands for what is usual for labels that are no classes."""
    objective = make_objective(name)
    if isinstance(objective, CrossEntropy) and dataset.labels != "classes":
        return make_objective(usual_objective(dataset.labels))
    return objective


def _held_out(replica: Replica, dataset: Dataset, share: float) -> Replica:
    """Return the run that trains on a part of a replica's samples, the rest being its validation split."""
    labelled = dataset.labelled[replica.train_index]
    known, others = replica.train_index[labelled], replica.train_index[~labelled]
    # The validation split itself is drawn at the stream's first address.
    rest, held = hold_out(dataset.strata[known], share, replica.streams.generator("validation", epoch=1))
    return replace(replica, train_index=np.concatenate([known[rest], others]), val_index=known[held])


def _check_first_run(batch_size: int, part: Replica) -> None:
    size, held = len(part.train_index), len(part.val_index)
    if batch_size > size:
        remedy = f"use at most {size}, the training samples that are left while {held} are held out for the decision"
        raise ConfigError("train.batch_size", batch_size, remedy)


def _normalization(dataset: Dataset, replicas: list[Replica], device: torch.device) -> Normalization:
    """Return each replica's own normalisation, fitted on its training samples."""
    fits = [fit_inputs(dataset, replica.train_index) for replica in replicas]
    mean, std = (torch.stack([getattr(fit, name) for fit in fits]).to(device) for name in ("mean", "std"))
    fills = [fit.fill for fit in fits if fit.fill is not None]
    return Normalization(mean, std, torch.stack(fills).to(device) if fills else None)


def data_digest(dataset: Dataset) -> str:
    """Return a hash of the arrays: a file that changed under a run directory is another study."""
    sha = hashlib.sha256()
    arrays = (dataset.x, dataset.y, dataset.x_test, dataset.y_test, dataset.domain, dataset.validation)
    for tensor in (tensor for tensor in arrays if tensor is not None):
        sha.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        sha.update(np.ascontiguousarray(tensor.numpy()).data)
    return sha.hexdigest()[:16]


def code_file(import_path: str) -> str | None:
    """Return the file that an import path's module was loaded from."""
    module = sys.modules.get(import_path.partition(":")[0])
    return getattr(module, "__file__", None)


def code_digest(import_path: str) -> str:
    """Return a hash of the file that code comes from: edited code is another study. Its own imports are not seen."""
    file = code_file(import_path)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else ""
