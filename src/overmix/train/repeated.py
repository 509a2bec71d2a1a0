"""Training without a validation set: a first run decides on a part of the samples, a second one trains on all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from overmix._typing import Float
from overmix.switch import OffAt
from overmix.train.deciding import DecidingTraining
from overmix.train.engine import StackTraining
from overmix.train.result import StackResult

_FIRST = "first."


class FirstRun(DecidingTraining):
    """Trains only until every replica has decided: what comes after the switch is the second run's."""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to decide."""
        return self.all_decided() or super().done

    def _keep_states(self, epochs: set[int]) -> None:
        """Keep none: nothing is gone back to."""

    def _go_back(self) -> None:
        """Stay."""


class RepeatedTraining(StackTraining):
    """Train a stack twice: a first run on a part of the samples decides, a second one on all follows the decision.

    What comes out for each replica is bit for bit the run of ``off_at(what its first run decided)`` on all samples. The
    first run has the same seeds, so the same initial weights and, for its own samples, the same address of every random
    number; and the same number of epochs, which it does not train to the end.

    Args:
        first: decides; its replicas train on a part of the samples and hold out the rest.
        **settings: of the second run, as for :class:`StackTraining`; the schedules of its replicas are not looked at.
    """

    def __init__(self, first: FirstRun, **settings: Any) -> None:
        super().__init__(**settings)
        self.first = first

    def train(self, after_step: Callable[[StackTraining], None] | None = None) -> StackResult:
        """Train both runs; the result is the second one's, and says what was decided, and what both cost."""
        if not self.first.done:
            notify = after_step or (lambda _: None)
            self.first.train(after_step=lambda _: notify(self))
        self._follow()
        return replace(super().train(after_step), switch_at=self.first.switch_at, cost=self.cost)

    def _follow(self) -> None:
        """Give each replica the schedule that its first run decided on."""
        self.planner.replicas = [
            replace(replica, schedule=OffAt(int(at)))
            for replica, at in zip(self.planner.replicas, self.first.switch_at, strict=True)
        ]

    @property
    def cost(self) -> Float[np.ndarray, " replicas"]:
        """Steps that each replica would train alone in both runs, tails included, over those of one run on all."""
        in_epochs = self.first.trained * self.first.steps_per_epoch / self.steps_per_epoch
        costs: np.ndarray = 1 + in_epochs / self.epochs
        return costs

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state after the last step of either run."""
        first = {f"{_FIRST}{name}": tensor for name, tensor in self.first.state_dict().items()}
        return {**super().state_dict(), **first}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved state."""
        super().load_state_dict(state)
        self.first.load_state_dict(
            {name.removeprefix(_FIRST): tensor for name, tensor in state.items() if name.startswith(_FIRST)}
        )
        if self.first.done:
            self._follow()
