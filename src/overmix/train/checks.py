"""What the replicas of a stack must have in common, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

from overmix.errors import ConfigError, DataError
from overmix.mix import Objective
from overmix.switch import Schedule
from overmix.train.needs import check_needs, share_a_step
from overmix.train.plan import Replica
from overmix.train.resident import Normalization, ResidentData


def check_stack(
    replicas: Sequence[Replica], data: ResidentData, objective: Objective, epochs: int, batch_size: int
) -> None:
    """Refuse replicas that do not fit together, or into a training of this length.

    Raises:
        ConfigError: naming what does not fit.
    """
    if epochs < 1:
        raise ConfigError("train.epochs", epochs, "use an integer >= 1")
    sizes = {(len(replica.train_index), len(replica.val_index)) for replica in replicas}
    if len(sizes) != 1:
        raise ConfigError("replicas", sorted(sizes), "give all replicas of a stack subsets of one size")
    train_size = sizes.pop()[0]
    if not 1 <= batch_size <= train_size:
        raise ConfigError("train.batch_size", batch_size, f"use 1 to {train_size}, the size of the training subset")
    total = epochs * (train_size // batch_size)
    for replica in replicas:
        check_needs(replica.recipe, data, objective)
        _check_schedule(replica.schedule, epochs, total)
    if any(not share_a_step(replica.recipe, replicas[0].recipe) for replica in replicas):
        raise ConfigError("replicas", len(replicas), "give a stack recipes that mix in one place, and by one loss")


def _check_schedule(schedule: Schedule, epochs: int, steps: int) -> None:
    """Refuse a point beyond the end, which would never come."""
    try:
        schedule.check(epochs, steps)
    except ConfigError as error:
        raise ConfigError(f"schedule.{error.field}", error.value, error.remedy) from None


def check_normalization(normalization: Normalization, n_replicas: int, sample_dim: int) -> None:
    """Refuse statistics that are not each replica's own.

    Raises:
        DataError: naming their shape.
    """
    shape = tuple(normalization.mean.shape)
    if len(shape) != sample_dim or shape[0] != n_replicas or normalization.std.shape != shape:
        raise DataError(
            f"normalization: shape {shape}: give statistics of {n_replicas} replicas with {sample_dim - 1} more "
            "dimensions, those of a sample"
        )
