"""The decision machine: from what was seen to the next moves, the same in a user's loop, a study and a framework.

Pure: it trains nothing, holds nothing, and knows no tensors. Whoever drives a training asks it wherever the policy may
answer, and carries out its moves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeAlias

from overmix.errors import ConfigError
from overmix.switch.policy import UNDECIDED, Decision, History, Observation, Policy


@dataclass(frozen=True)
class Keep:
    """Hold the state that the training has now, in the place of the one that is held."""


@dataclass(frozen=True)
class Drop:
    """Let go of the state that is held: nothing goes back to it."""


@dataclass(frozen=True)
class StartProbe:
    """Train a tail without mixing from here, score it, set everything back, and ask again.

    Args:
        tail: its length in epochs.
    """

    tail: int


@dataclass(frozen=True)
class GoBack:
    """Set the training back to the state that is held, and let go of it.

    Args:
        epoch: epochs done there.
    """

    epoch: int


@dataclass(frozen=True)
class GoOn:
    """Train the next epoch."""


@dataclass(frozen=True)
class EndWith:
    """After the last epoch, set what was trained back to the state that is held; the run stays at its end.

    Args:
        epoch: epochs done there.
    """

    epoch: int


Move: TypeAlias = Keep | Drop | StartProbe | GoBack | GoOn | EndWith


@dataclass(frozen=True)
class Standing:
    """What was decided so far, and what may be gone back to.

    Args:
        decision: the policy's last answer.
        kept: epochs done at the state that is held; None if none is.
    """

    decision: Decision = UNDECIDED
    kept: int | None = None

    @property
    def decided(self) -> bool:
        """Whether the policy has made its decision."""
        return self.decision.switch_at is not None

    def mixes(self, epoch: int) -> bool:
        """Return whether a zero-based epoch of the run is mixed; it is as long as nothing is decided."""
        return self.decision.switch_at is None or epoch < self.decision.switch_at


@dataclass(frozen=True)
class Machine:
    """Asks a policy, checks its answer, and says what follows.

    A policy is asked in one order wherever it is used: before the first epoch, after each, and after each probe. An
    answer that decides ends the questions. One that does not is followed by the probe that is planned at this epoch.
    Where the policy's ``best`` is true, the run is watched from there on: its best state is held, and it ends with it.

    Args:
        policy: decides.
        epochs: length of the training.

    Raises:
        ConfigError: if the probes that it plans do not increase or lie outside of the training, or tails have no epoch.

    Example:
        >>> from overmix.switch.policies.baselines import Fixed
        >>> standing, moves = Machine(Fixed(0.5), epochs=8).ask(Standing(), History(epochs=8))
        >>> standing.decision.switch_at, moves
        (4, (GoOn(),))
    """

    policy: Policy
    epochs: int
    planned: tuple[int, ...] = field(init=False)
    tail: int = field(init=False)
    watches: bool = field(init=False)

    def __post_init__(self) -> None:
        planned = tuple(self.policy.probe_epochs(self.epochs))
        increasing = all(a < b for a, b in pairwise(planned))
        if not all(isinstance(epoch, int) and 0 <= epoch < self.epochs for epoch in planned) or not increasing:
            raise ConfigError("switch.probe_epochs", planned, f"use increasing epochs in [0, {self.epochs})")
        tail = self.policy.tail_epochs(self.epochs) if planned else 0
        if planned and tail < 1:
            raise ConfigError("switch.tail_epochs", tail, "use at least one epoch")
        object.__setattr__(self, "planned", planned)
        object.__setattr__(self, "tail", tail)
        object.__setattr__(self, "watches", bool(getattr(self.policy, "best", False)))

    def ask(self, standing: Standing, history: History) -> tuple[Standing, tuple[Move, ...]]:
        """Return where the run stands after this question, and the moves to carry out in their order.

        Args:
            standing: after the last question.
            history: what was seen until now.

        Raises:
            ConfigError: if the policy's answer cannot be followed.
        """
        if standing.decided:
            return self._watched(standing, history)
        decision = self._checked(self.policy.decide(history))
        if decision.switch_at is None:
            return self._undecided(standing, decision, history)
        if decision.switch_at >= history.done:
            return Standing(decision), (*_dropped(standing), GoOn())
        if standing.kept != decision.switch_at:
            raise ConfigError("switch_at", decision.switch_at, "a policy that goes back must name the epoch as keep")
        return Standing(decision), (GoBack(decision.switch_at),)

    def _watched(self, standing: Standing, history: History) -> tuple[Standing, tuple[Move, ...]]:
        """Hold the best state since the switch, and end with it."""
        best, done = self.best(standing.decision, history.observations), history.done
        if done >= self.epochs:
            over_trained = standing.kept is not None and standing.kept == best
            return replace(standing, kept=None), (EndWith(best),) if best and over_trained else (GoOn(),)
        if best != done or standing.kept == done:
            return standing, (GoOn(),)
        return replace(standing, kept=done), (Keep(), GoOn())

    def best(self, decision: Decision, observations: Sequence[Observation]) -> int | None:
        """Return after how many epochs a watched run's own score was lowest since its switch; the first of several."""
        at = decision.switch_at
        if not self.watches or at is None:
            return None
        since = [
            seen for seen in observations if seen.split == "val" and seen.epoch >= at and math.isfinite(seen.score)
        ]
        return min(since, key=lambda seen: seen.score).epoch + 1 if since else None

    def _undecided(self, standing: Standing, decision: Decision, history: History) -> tuple[Standing, tuple[Move, ...]]:
        keep, done = decision.keep, history.done
        if keep not in (None, done, standing.kept):
            raise ConfigError("keep", keep, "that state is gone: a policy names an epoch while the run is there")
        moves: tuple[Move, ...] = ()
        if keep is None:
            moves = _dropped(standing)
        elif keep != standing.kept:
            moves = (Keep(),)
        due = done in self.planned and all(probe.epoch != done for probe in history.probes)
        return Standing(decision, keep), (*moves, StartProbe(self.tail) if due else GoOn())

    def _checked(self, decision: Any) -> Decision:
        """Return an answer with Python's integers, if it can be one."""
        if not isinstance(decision, Decision):
            raise ConfigError("switch", decision, "decide(history) returns an overmix.switch.Decision")
        at, keep = _integer(decision.switch_at), _integer(decision.keep)
        if at is not None and not (isinstance(at, int) and 0 <= at <= self.epochs):
            raise ConfigError("switch_at", at, f"a policy decides for None or an epoch in [0, {self.epochs}]")
        return replace(decision, switch_at=at, keep=keep)


def _dropped(standing: Standing) -> tuple[Move, ...]:
    return () if standing.kept is None else (Drop(),)


def _integer(value: Any) -> Any:
    """Return NumPy's integers as Python's, and anything else as it is."""
    return value.__index__() if hasattr(value, "__index__") and not isinstance(value, bool) else value
