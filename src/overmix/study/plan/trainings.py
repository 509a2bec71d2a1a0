"""From a stack's description to something that trains."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from overmix.errors import ConfigError
from overmix.mix import Streams
from overmix.study.data import Dataset, hold_out, load_dataset, normalization_stats, split_indices
from overmix.study.models import build_model
from overmix.study.plan.cells import Cell, StackTask
from overmix.study.spec.plain import canonical
from overmix.study.spec.recipes import build_recipe
from overmix.study.spec.schema import DataSpec, ModelSpec, TrainSpec
from overmix.switch import HeldOut, Policy, Schedule, always, make_schedule
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
    make_objective,
)

Training = TypeVar("Training", bound=StackTraining)


def pool_key(content: Mapping[str, Any]) -> str:
    """Return the data description of a cell without what is drawn from the pool: cells that share it share the pool."""
    drawn = ("train_size", "val_size", "balanced")
    return canonical({key: value for key, value in content.items() if key not in drawn})


def open_dataset(content: Mapping[str, Any]) -> Dataset:
    """Return the data set that a cell's content names."""
    spec = DataSpec.model_validate(content)
    return load_dataset(spec.name, **spec.options)


def replica_of(cell: Cell, dataset: Dataset) -> Replica:
    """Return the training run that a cell stands for, its samples drawn.

    Raises:
        ConfigError: if the data set does not have the samples asked for.
    """
    data, train = (
        DataSpec.model_validate(cell.content["data"]),
        TrainSpec.model_validate(cell.content["train"]),
    )
    streams = Streams(replica_seed=cell.seed)
    train_index, val_index = split_indices(
        dataset.y.numpy(),
        train_size=data.train_size,
        val_size=data.val_size,
        balanced=data.balanced,
        subset_rng=streams.generator("subset"),
        val_rng=streams.generator("validation"),
        num_classes=dataset.num_classes,
    )
    name, parameters = next(iter(cell.content["recipe"].items()))
    schedule = make_schedule(cell.content["schedule"])
    return Replica(
        streams=streams,
        recipe=build_recipe(name, **parameters),
        schedule=always() if isinstance(schedule, Policy | HeldOut) else schedule,
        train_index=train_index,
        val_index=val_index,
        lr=train.optimizer.lr,
        lr_schedule=train.lr_schedule.build(),
        weight_decay=train.optimizer.weight_decay,
    )


def model_factory(cell: Cell, dataset: Dataset, *, allow_code: bool) -> ModelFactory:
    """Return a function that builds the cell's model, freshly initialised."""
    spec = ModelSpec.model_validate(cell.content["model"])
    return partial(
        build_model,
        spec.name,
        sample_shape=tuple(dataset.x.shape[1:]),
        num_classes=dataset.num_classes,
        allow_code=allow_code,
        **spec.options,
    )


def execution_of(cell: Cell, dataset: Dataset, device: str, *, allow_code: bool) -> Execution:
    """Return whether stacks of the cell's shape are stacked or looped."""
    sample = dataset.x[:4].to(torch.float32)
    return choose_execution(model_factory(cell, dataset, allow_code=allow_code), sample, torch.device(device))


def training_of(task: StackTask, dataset: Dataset, *, allow_code: bool) -> StackTraining:
    """Return the training of a stack, ready to start or to load a checkpoint."""
    return training_with(make_schedule(task.cells[0].content["schedule"]), task, dataset, allow_code=allow_code)


def training_with(
    schedule: Schedule | Policy | HeldOut, task: StackTask, dataset: Dataset, *, allow_code: bool = False
) -> StackTraining:
    """Return the training of a stack; what its cells name as schedule is looked at only if ``schedule`` is fixed.

    Raises:
        ConfigError: if it cannot be trained.
    """
    device = torch.device(task.device)
    first = task.cells[0]
    train = TrainSpec.model_validate(first.content["train"])
    resident = ResidentData(dataset.x, dataset.y, dataset.x_test, dataset.y_test, dataset.num_classes).to(device)

    def stack(kind: Callable[..., Training], replicas: list[Replica], track: Sequence[str] = train.track) -> Training:
        return kind(
            factory=model_factory(first, dataset, allow_code=allow_code),
            data=resident,
            replicas=replicas,
            normalization=_normalization(dataset, replicas, device),
            optimizer=train.optimizer.build(),
            epochs=train.epochs,
            batch_size=train.batch_size,
            execution=task.execution,
            objective=make_objective(train.objective),
            average=train.average,
            augment=train.augment.build() if train.augment else None,
            track=track,
        )

    replicas = [replica_of(cell, dataset) for cell in task.cells]
    if isinstance(schedule, HeldOut):
        parts = [held_out(replica, dataset, schedule.share) for replica in replicas]
        _check_first_run(train.batch_size, parts[0])
        first_run = stack(partial(FirstRun, schedule.policy), parts, track=())
        return stack(partial(RepeatedTraining, first_run), replicas)
    if isinstance(schedule, Policy):
        return stack(partial(DecidingTraining, schedule), replicas)
    return stack(StackTraining, replicas)


def held_out(replica: Replica, dataset: Dataset, share: float) -> Replica:
    """Return the run that trains on a part of a replica's samples, the rest being its validation split."""
    y = dataset.y.numpy()[replica.train_index]
    # The validation split itself is drawn at the stream's first address.
    rest, held = hold_out(y, share, replica.streams.generator("validation", epoch=1))
    return replace(replica, train_index=replica.train_index[rest], val_index=replica.train_index[held])


def _check_first_run(batch_size: int, part: Replica) -> None:
    size, held = len(part.train_index), len(part.val_index)
    if batch_size > size:
        remedy = f"use at most {size}, the training samples that are left while {held} are held out for the decision"
        raise ConfigError("train.batch_size", batch_size, remedy)


def _normalization(dataset: Dataset, replicas: list[Replica], device: torch.device) -> Normalization:
    stats = [normalization_stats(dataset.x[torch.from_numpy(replica.train_index)]) for replica in replicas]
    return Normalization(
        mean=torch.stack([mean for mean, _ in stats]).to(device), std=torch.stack([std for _, std in stats]).to(device)
    )


def data_digest(dataset: Dataset) -> str:
    """Return a hash of the arrays: a file that changed under a run directory is another study."""
    sha = hashlib.sha256()
    for tensor in (dataset.x, dataset.y, dataset.x_test, dataset.y_test):
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
