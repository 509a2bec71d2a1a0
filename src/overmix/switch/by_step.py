"""Schedules whose point is a number of optimizer steps: over-training is a matter of steps, not of epochs.

In a loop they count the steps of the optimizers that are registered in ``state``, so that accumulated batches are one
step; where none is registered, a batch is a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Any

from overmix.errors import ConfigError
from overmix.switch.schedule import Progress, Schedule


@dataclass(frozen=True)
class OffAtStep(Schedule):
    """Mix during the first ``step`` optimizer steps, and not after them; it may go off inside an epoch.

    Args:
        step: how many steps are mixed, an integer >= 0.

    Raises:
        ConfigError: for anything else.

    Example:
        >>> [OffAtStep(3).probability(Progress(epoch=0, epochs=2, step=step, steps=step)) for step in range(5)]
        [1.0, 1.0, 1.0, 0.0, 0.0]
    """

    step: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", _steps("off_at_step", self.step))

    def probability(self, progress: Progress) -> float:
        """Return 1 before the switch, 0 from then on."""
        return 1.0 if _done("off_at_step", self.step, progress) < self.step else 0.0

    def check(self, epochs: int, steps: int | None) -> None:
        """Refuse a switch beyond the end: it would mix all along, without a word."""
        if steps is not None and self.step > steps:
            raise ConfigError("off_at_step", self.step, f"use at most {steps}, the steps of the training")


@dataclass(frozen=True)
class OnFromStep(Schedule):
    """Mix nothing during the first ``step`` optimizer steps, and every batch after them.

    Args:
        step: how many steps are not mixed, an integer >= 0.

    Raises:
        ConfigError: for anything else.

    Example:
        >>> [OnFromStep(3).probability(Progress(epoch=0, epochs=2, step=step, steps=step)) for step in range(5)]
        [0.0, 0.0, 0.0, 1.0, 1.0]
    """

    step: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", _steps("on_from_step", self.step))

    def probability(self, progress: Progress) -> float:
        """Return 0 before the point, 1 from then on."""
        return 0.0 if _done("on_from_step", self.step, progress) < self.step else 1.0

    def check(self, epochs: int, steps: int | None) -> None:
        """Refuse a point at the end or beyond: nothing would be mixed, without a word."""
        if steps is not None and self.step >= steps:
            raise ConfigError("on_from_step", self.step, f"use fewer than {steps}, the steps of the training")


def _steps(field: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or index(value) < 0:
        raise ConfigError(field, value, "use a number of optimizer steps, an integer >= 0")
    return index(value)


def _done(field: str, step: int, progress: Progress) -> int:
    if progress.steps is None:
        remedy = "steps may end inside an epoch: mix batch by batch with epoch.mix, or switch by epochs, off_at(128)"
        raise ConfigError(field, step, remedy)
    return progress.steps
