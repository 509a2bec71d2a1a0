"""Schedules other than one switch: mixing that sets in late, fades out, or alternates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from overmix.errors import ConfigError
from overmix.real_numbers import is_real
from overmix.switch.schedule import OffAt, Progress, Schedule, epochs_in


@dataclass(frozen=True)
class OnFrom(Schedule):
    """Mix no batch until a point, then every batch.

    Args:
        when: as for :class:`OffAt`: a number of epochs (an integer), or a share of all epochs (a float in [0, 1]).

    Raises:
        ConfigError: for a negative number, or a float outside of [0, 1].

    Example:
        >>> [OnFrom(0.5).probability(Progress(epoch, epochs=4)) for epoch in range(4)]
        [0.0, 0.0, 1.0, 1.0]
    """

    when: int | float

    def __post_init__(self) -> None:
        try:
            OffAt(self.when)
        except ConfigError as error:
            raise ConfigError("on_from", error.value, error.remedy) from None

    def probability(self, progress: Progress) -> float:
        """Return 0 before the point, 1 from then on."""
        return 1.0 - OffAt(self.when).probability(progress)

    def check(self, epochs: int, steps: int | None) -> None:
        """Refuse a point at the end or beyond: nothing would be mixed, without a word."""
        if OffAt(self.when).epoch(epochs) >= epochs:
            raise ConfigError("on_from", self.when, f"use fewer than {epochs}, the number of epochs")


@dataclass(frozen=True)
class LinearDecay(Schedule):
    """Mix each batch with the probability ``(end - s) / (end - start)``, clipped to [0, 1], s the share of epochs done.

    Args:
        start: share of the training until which every batch is mixed.
        end: share from which on none is.

    Raises:
        ConfigError: unless 0 <= start < end <= 1.

    Example:
        >>> [LinearDecay().probability(Progress(epoch, epochs=4)) for epoch in range(4)]
        [1.0, 0.75, 0.5, 0.25]
    """

    start: float = 0.0
    end: float = 1.0
    _name: ClassVar[str] = "linear_decay"

    def __post_init__(self) -> None:
        shares = (self.start, self.end)
        if not all(map(is_real, shares)) or not 0 <= self.start < self.end <= 1:
            raise ConfigError(type(self)._name, shares, "use shares with 0 <= start < end <= 1")

    def probability(self, progress: Progress) -> float:
        """Return the probability at this epoch."""
        done = progress.epoch / progress.epochs
        return min(1.0, max(0.0, (self.end - done) / (self.end - self.start)))


@dataclass(frozen=True)
class Fade(LinearDecay):
    """Mix every batch until one share of the training, ever fewer after it, and none from another share on.

    What many do by hand so that the change is not sudden: :class:`LinearDecay` from a half to three quarters.

    Args:
        start: share of the training until which every batch is mixed.
        end: share from which on none is.

    Raises:
        ConfigError: unless 0 <= start < end <= 1.

    Example:
        >>> [Fade().probability(Progress(epoch, epochs=8)) for epoch in range(8)]
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0]
    """

    start: float = 0.5
    end: float = 0.75
    _name: ClassVar[str] = "fade"


def fade(start: float = 0.5, end: float = 0.75) -> Fade:
    """Mix every batch until the share ``start``, with a probability that falls to 0 at ``end``, none from then on."""
    return Fade(start, end)


@dataclass(frozen=True)
class Hesitation(Schedule):
    """Mix every batch, then every second epoch, then batches with a probability that falls linearly, never quite to 0.

    In a training of 100 epochs with the default shares: epochs 0 to 59 are mixed, of 60 to 89 the even ones, and from
    90 on each batch is mixed with probability 1.0, 0.9, ..., 0.1.

    Args:
        always_until: share of the training until which every batch is mixed.
        alternating_until: share until which every second epoch is.

    Raises:
        ConfigError: unless 0 <= always_until <= alternating_until <= 1.

    Example:
        >>> [round(Hesitation().probability(Progress(epoch, epochs=100)), 2) for epoch in (59, 60, 61, 90, 99)]
        [1.0, 1.0, 0.0, 1.0, 0.1]

    Source: Yu, Wang, Wu: Mixup without Hesitation (2021).
    """

    always_until: float = 0.6
    alternating_until: float = 0.9

    def __post_init__(self) -> None:
        shares = (self.always_until, self.alternating_until)
        if not all(map(is_real, shares)) or not 0 <= self.always_until <= self.alternating_until <= 1:
            raise ConfigError("hesitation", shares, "use shares with 0 <= always_until <= alternating_until <= 1")

    def probability(self, progress: Progress) -> float:
        """Return the probability at this epoch."""
        first, second = (epochs_in(share, progress.epochs) for share in (self.always_until, self.alternating_until))
        if progress.epoch < first:
            return 1.0
        if progress.epoch < second:
            return 1.0 - (progress.epoch - first) % 2
        return (progress.epochs - progress.epoch) / max(1, progress.epochs - second)
