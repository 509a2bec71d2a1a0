"""Course: who says when a run mixes, and what is done between its epochs. There are two: by schedule, and by policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from overmix.mix import StreamSource
from overmix.switch.epoch import EpochKind
from overmix.switch.outcome import Outcome
from overmix.switch.policy import Observation, Policy
from overmix.switch.position import Position, Seen
from overmix.switch.record import Record
from overmix.switch.schedule import Progress, Schedule, mixes


class Course(Protocol):
    """What :class:`Epochs` asks."""

    record: Record

    @property
    def policy(self) -> Policy | None:
        """What decides, or None if a schedule does."""
        ...

    @property
    def held_by(self) -> str:
        """What says whether is mixed, and what it says so far."""
        ...

    def begin(self, rank: int) -> None:
        """Check what can be checked, when the loop begins.

        Raises:
            ConfigError: if something that is needed is missing.
        """
        ...

    def kind(self, at: Position) -> EpochKind:
        """Return what the next epoch is for."""
        ...

    def scores(self, at: Position) -> bool:
        """Return whether what is observed in the next epoch counts."""
        ...

    def mixes(self, kind: EpochKind, progress: Progress, streams: StreamSource) -> bool:
        """Return whether a batch of an epoch of this kind is mixed."""
        ...

    def enter(self, at: Position) -> None:
        """Set up the training for the next epoch."""
        ...

    def close(self, seen: Seen) -> None:
        """Take in what an epoch observed."""
        ...

    def settle(self, at: Position) -> Position:
        """Do what is due between two epochs, and return where the run goes on."""
        ...

    def leave(self, at: Position) -> Position:
        """Undo what cannot stay as the loop stops inside an epoch, and return where the run goes on."""
        ...

    def outcome(self, history: Sequence[Observation], spent: int, note: str) -> Outcome:
        """Return what was decided.

        Args:
            history: what was observed so far, the current epoch included.
            spent: epochs trained so far.
            note: what the user should know besides.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return it as plain numbers, strings, lists and tensors."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Undo :meth:`state_dict`."""
        ...


class BySchedule:
    """A run whose mixing is fixed before it starts: nothing is due between its epochs.

    Args:
        schedule: says when.
        epochs: length of the run.
        name: how the schedule is shown.
    """

    policy: Policy | None = None

    def __init__(self, schedule: Schedule, epochs: int, name: str) -> None:
        self.schedule, self.epochs, self.name = schedule, epochs, name
        self.record = Record()

    @property
    def held_by(self) -> str:
        """The schedule."""
        return self.name

    def begin(self, rank: int) -> None:
        """Nothing is needed."""

    def kind(self, at: Position) -> EpochKind:
        """Every epoch is the run's own."""
        return "train"

    def scores(self, at: Position) -> bool:
        """Every look counts."""
        return True

    def mixes(self, kind: EpochKind, progress: Progress, streams: StreamSource) -> bool:
        """Return what the schedule says."""
        return mixes(self.schedule, progress, streams)

    def enter(self, at: Position) -> None:
        """Nothing is set up."""

    def close(self, seen: Seen) -> None:
        """Take in what an epoch observed, on this rank."""
        self.record.add(seen, pooled=False)

    def settle(self, at: Position) -> Position:
        """Go on."""
        return at

    def leave(self, at: Position) -> Position:
        """Go on: an epoch that was left counts as trained."""
        return at

    def outcome(self, history: Sequence[Observation], spent: int, note: str) -> Outcome:
        """Return that it was fixed, and at which epoch it goes off if there is one."""
        at = self.schedule.mixed_epochs(self.epochs)
        return Outcome(self.epochs, at, self.name, (), tuple(history), spent, fixed=True, note=note)

    def state_dict(self) -> dict[str, Any]:
        """Return what was seen."""
        return {"record": self.record.plain()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Undo :meth:`state_dict`."""
        self.record = Record.from_plain(state["record"])
