"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from overmix._typing import Float
from overmix.errors import ConfigError, did_you_mean
from overmix.switch import epochs_in

LRScheduleName = Literal["constant", "multistep", "cosine"]


@dataclass(frozen=True)
class LRSchedule:
    """The factor on the learning rate at each step of a training.

    ``constant``: 1. ``multistep``: ``gamma ** (number of milestones passed)``. ``cosine``: ``(1 + cos(pi p)) / 2`` with
    p the share of the steps after the warm-up that are done (Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent
    with Warm Restarts", 2017, without restarts). During the warm-up the factor rises linearly from
    ``1 / warm-up steps`` to 1.

    Args:
        name: ``"constant"``, ``"multistep"`` or ``"cosine"``.
        milestones: for ``multistep``: integers are epochs, floats in (0, 1) shares of the training, rounded down to
            whole epochs.
        gamma: for ``multistep``, the factor at each milestone, in (0, 1].
        warmup: number of epochs of the warm-up; may be a fraction of an epoch.

    Raises:
        ConfigError: if a setting cannot work.

    Example:
        >>> LRSchedule("multistep", milestones=(0.5,), gamma=0.1).factors(epochs=4, steps_per_epoch=1).round(3).tolist()
        [1.0, 1.0, 0.1, 0.1]
    """

    name: LRScheduleName = "constant"
    milestones: tuple[int | float, ...] = field(default=(0.5, 0.75))
    gamma: float = 0.1
    warmup: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in get_args(LRScheduleName):
            raise ConfigError("lr_schedule", self.name, did_you_mean(str(self.name), get_args(LRScheduleName)))
        if not 0 < self.gamma <= 1:
            raise ConfigError("lr_schedule.gamma", self.gamma, "use a number in (0, 1]")
        if not (math.isfinite(self.warmup) and self.warmup >= 0):
            raise ConfigError("lr_schedule.warmup", self.warmup, "use a number of epochs >= 0")
        for milestone in self.milestones:
            if not milestone > 0 or (isinstance(milestone, float) and milestone >= 1):
                raise ConfigError(
                    "lr_schedule.milestones", milestone, "use epochs (integers >= 1) or shares of the training (0.5)"
                )

    def check(self, epochs: int) -> None:
        """Refuse what would come after the end of a training of so many epochs, and so never.

        Raises:
            ConfigError: for a milestone or a warm-up that ends there or later.
        """
        late = [m for m in self.milestones if not isinstance(m, float) and m >= epochs]
        if self.name == "multistep" and late:
            remedy = f"use epochs below {epochs}, the length of the training, or shares of it (0.5)"
            raise ConfigError("lr_schedule.milestones", late[0], remedy)
        if self.warmup and self.warmup >= epochs:
            raise ConfigError(
                "lr_schedule.warmup", self.warmup, f"use fewer epochs than {epochs}, the length of the training"
            )

    def factors(self, epochs: int, steps_per_epoch: int) -> Float[np.ndarray[Any, Any], " steps"]:
        """Return the factor at every step, shape (epochs * steps_per_epoch,), float64."""
        total = epochs * steps_per_epoch
        step = np.arange(total)
        warmup = round(self.warmup * steps_per_epoch)
        factor = self._after_warmup(step, warmup, total, epochs, steps_per_epoch)
        if warmup:
            factor[:warmup] = (step[:warmup] + 1) / warmup
        return factor

    def _after_warmup(
        self, step: np.ndarray[Any, Any], warmup: int, total: int, epochs: int, steps_per_epoch: int
    ) -> np.ndarray[Any, Any]:
        if self.name == "multistep":
            marks = [(epochs_in(m, epochs) if isinstance(m, float) else m) * steps_per_epoch for m in self.milestones]
            return self.gamma ** np.searchsorted(np.sort(marks), step, side="right").astype(float)
        if self.name == "cosine":
            done = np.clip((step - warmup) / max(1, total - warmup), 0, 1)
            return 0.5 * (1 + np.cos(np.pi * done))
        return np.ones(total)
