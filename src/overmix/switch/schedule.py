"""Schedules: when to mix, fixed before the training starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import index
from typing import Protocol, runtime_checkable

from overmix.errors import ConfigError
from overmix.mix import StreamSource
from overmix.real_numbers import is_real


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Args:
        epoch: zero-based epoch.
        epochs: length of the training in epochs.
        step: zero-based batch within the epoch.
        steps: optimizer steps done before this batch, in all; None if nobody counts them.
    """

    epoch: int
    epochs: int
    step: int = 0
    steps: int | None = None


@runtime_checkable
class Schedule(Protocol):
    """Says when batches are mixed, before the training starts. Implementations are frozen dataclasses.

    One that inherits from this class need only give a probability.

    Example:
        >>> @dataclass(frozen=True)
        ... class EverySecondEpoch(Schedule):
        ...     def probability(self, progress: Progress) -> float:
        ...         return 1.0 - progress.epoch % 2
        >>> EverySecondEpoch().mixed_epochs(epochs=10) is None
        True
    """

    def probability(self, progress: Progress) -> float:
        """Return the probability, in [0, 1], that the batch at this point is mixed: a pure function of progress."""
        ...

    def check(self, epochs: int, steps: int | None) -> None:
        """Refuse a training in which a point of the schedule would never come.

        Args:
            epochs: length of the training.
            steps: its optimizer steps, None if they are not known.

        Raises:
            ConfigError: if the schedule does not fit into the training.
        """
        return

    def mixed_epochs(self, epochs: int) -> int | None:
        """Return k if all batches of the first k epochs are mixed and none after them; None if no number says it."""
        return None


@dataclass(frozen=True)
class Always(Schedule):
    """Mix every batch.

    Example:
        >>> always().probability(Progress(epoch=0, epochs=10))
        1.0
    """

    def probability(self, progress: Progress) -> float:
        """Return 1."""
        return 1.0

    def mixed_epochs(self, epochs: int) -> int:
        """Return all of them."""
        return epochs


@dataclass(frozen=True)
class Never(Schedule):
    """Mix no batch."""

    def probability(self, progress: Progress) -> float:
        """Return 0."""
        return 0.0

    def mixed_epochs(self, epochs: int) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True)
class OffAt(Schedule):
    """Mix until a point, then never again.

    Args:
        when: an integer is the number of epochs that are mixed (``128``: epochs 0 to 127 are, epoch 128 is the first
            one that is not); a float in [0, 1] is that share of all epochs, rounded down.

    Raises:
        ConfigError: for a negative number, or a float outside of [0, 1].

    Example:
        >>> [OffAt(2).probability(Progress(epoch, epochs=4)) for epoch in range(4)]
        [1.0, 1.0, 0.0, 0.0]
        >>> OffAt(0.33).epoch(240)
        79
    """

    when: int | float

    def __post_init__(self) -> None:
        if not isinstance(self.when, bool) and hasattr(self.when, "__index__"):
            object.__setattr__(self, "when", index(self.when))  # NumPy's integers count as Python's
        if not is_real(self.when) or not 0 <= self.when < math.inf:
            raise ConfigError("off_at", self.when, "use a number of epochs (128) or a share of all epochs (0.5)")
        if not isinstance(self.when, int) and self.when > 1:
            raise ConfigError("off_at", self.when, f"a share lies in [0, 1]; for epochs write {round(self.when)}")

    def epoch(self, epochs: int) -> int:
        """Return the first epoch that is not mixed, in a training of ``epochs`` epochs."""
        return self.when if isinstance(self.when, int) else epochs_in(self.when, epochs)

    def probability(self, progress: Progress) -> float:
        """Return 1 before the switch, 0 from then on."""
        return 1.0 if progress.epoch < self.epoch(progress.epochs) else 0.0

    def check(self, epochs: int, steps: int | None) -> None:
        """Refuse a switch beyond the end: it would mix all along, without a word."""
        if self.epoch(epochs) > epochs:
            raise ConfigError("off_at", self.when, f"use at most {epochs}, the number of epochs")

    def mixed_epochs(self, epochs: int) -> int:
        """Return the epochs before the switch."""
        return min(self.epoch(epochs), epochs)


def epochs_in(share: float, epochs: int) -> int:
    """Return how many whole epochs a share of the training has; 0.29 of 100 are 29, though 0.29 * 100 < 29 in floats.

    Example:
        >>> epochs_in(0.29, epochs=100), epochs_in(0.33, epochs=240)
        (29, 79)
    """
    return math.floor(round(share * epochs, 6))


def always() -> Always:
    """Mix every batch, the whole training long."""
    return Always()


def never() -> Never:
    """Mix no batch: plain training."""
    return Never()


def off_at(when: int | float) -> OffAt:
    """Mix until an epoch (an integer) or a share of the training (a float in [0, 1]), then never again."""
    return OffAt(when)


def mixes(schedule: Schedule, progress: Progress, streams: StreamSource) -> bool:
    """Return whether the batch at this point is mixed.

    The one place where this is decided, for studies and for users' own loops. A probability between 0 and 1 is settled
    by a number from the ``gate`` stream at the batch's own address.
    """
    probability = schedule.probability(progress)
    if probability <= 0:
        return False
    if probability >= 1:
        return True
    return bool(streams.generator("gate", epoch=progress.epoch, step=progress.step).random() < probability)
