"""Schedules whose point is a number of optimizer steps: over-training is a matter of steps, not of epochs."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Any

from overmix.errors import ConfigError
from overmix.switch.schedule import Progress


@dataclass(frozen=True)
class OffAtStep:
    """Mix the first ``step`` batches of the training, and none after them; it may go off inside an epoch.

    Args:
        step: how many batches are mixed, an integer >= 0.

    Raises:
        ConfigError: for anything else.

    Example:
        >>> [OffAtStep(3).probability(Progress(epoch=0, epochs=2, step=step, batches=step)) for step in range(5)]
        [1.0, 1.0, 1.0, 0.0, 0.0]
    """

    step: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", _steps("off_at_step", self.step))

    def probability(self, progress: Progress) -> float:
        """Return 1 before the switch, 0 from then on."""
        return 1.0 if _done(progress) < self.step else 0.0


@dataclass(frozen=True)
class OnFromStep:
    """Mix none of the first ``step`` batches of the training, and every batch after them.

    Args:
        step: how many batches are not mixed, an integer >= 0.

    Raises:
        ConfigError: for anything else.

    Example:
        >>> [OnFromStep(3).probability(Progress(epoch=0, epochs=2, step=step, batches=step)) for step in range(5)]
        [0.0, 0.0, 0.0, 1.0, 1.0]
    """

    step: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", _steps("on_from_step", self.step))

    def probability(self, progress: Progress) -> float:
        """Return 0 before the point, 1 from then on."""
        return 0.0 if _done(progress) < self.step else 1.0


def _steps(field: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or index(value) < 0:
        raise ConfigError(field, value, "use a number of batches, an integer >= 0")
    return index(value)


def _done(progress: Progress) -> int:
    if progress.batches is None:
        raise ConfigError("progress.batches", None, "a schedule in steps needs the number of batches trained so far")
    return progress.batches
