"""Where a run stands, and what happened in an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from overmix.switch.loss_tally import LossTally
from overmix.switch.policy import Fit, Observation, ScoreKind, Split
from overmix.switch.tally import OBSERVED_SPLITS, Tally


@dataclass(frozen=True)
class Position:
    """Where a run stands.

    Args:
        epoch: epochs of the run that are done.
        tail: epochs of a probe's tail that are done; None outside of a probe.
        step: batches of the epoch that are done.
        mixed: how many of these were mixed.
        reached: the most epochs that the run has ever done: more than ``epoch`` after going back.
        entered: whether the epoch has begun: what is due before it was done.
        trained: whether all batches of the epoch are done, so that it is only to be observed.
    """

    epoch: int = 0
    tail: int | None = None
    step: int = 0
    mixed: int = 0
    reached: int = 0
    entered: bool = False
    trained: bool = False

    def after(self) -> Position:
        """Return the beginning of the next epoch."""
        if self.tail is not None:
            return Position(self.epoch, self.tail + 1, reached=self.reached)
        return self.at(self.epoch + 1)

    def at(self, epoch: int) -> Position:
        """Return the beginning of an epoch of the run itself."""
        return Position(epoch, reached=max(self.reached, epoch))

    def inside(self, step: int, mixed: int, *, trained: bool) -> Position:
        """Return a place in this epoch."""
        return replace(self, step=step, mixed=mixed, entered=True, trained=trained)


@dataclass
class Seen:
    """What happened in an epoch, from its body to the run's own book-keeping.

    Args:
        index: zero-based epoch.
        tail: zero-based epoch of a probe's tail; None outside of a probe.
        step: batches so far.
        mixed: how many of them were mixed.
        gate: what ``epoch.on`` answered; None as long as nobody asked.
        tallies: scores by split.
        losses: of the epoch's own batches.
        over: whether the epoch has ended: nothing is taken in any more.
    """

    index: int
    tail: int | None = None
    step: int = 0
    mixed: int = 0
    gate: bool | None = None
    tallies: dict[Split, Tally] = field(default_factory=dict)
    losses: LossTally = field(default_factory=LossTally)
    over: bool = False

    @property
    def mixing(self) -> float:
        """Share of the batches that were mixed; of an epoch without batches, whether it was on as a whole."""
        return self.mixed / self.step if self.step else float(bool(self.gate))

    @property
    def kind(self) -> ScoreKind | None:
        """What the observed scores are; None before the first."""
        return next((tally.kind for tally in self.tallies.values() if tally.kind is not None), None)

    def observations(self, *, pooled: bool = False) -> list[Observation]:
        """Return the means of what was observed, of this process or pooled over ranks (a collective operation)."""
        tallies = [(split, self.tallies.get(split, Tally())) for split in OBSERVED_SPLITS]
        observations = [
            (tally.pooled() if pooled else tally).observation(self.index, self.mixing, split)
            for split, tally in tallies
        ]
        return [observation for observation in observations if observation is not None]

    def fits(self, *, pooled: bool = False) -> list[Fit]:
        """Return how well the epoch's batches were fitted, if it was told: one entry or none (pooling: collective)."""
        fit = (self.losses.pooled() if pooled else self.losses).fit(self.index, self.mixing)
        return [] if fit is None else [fit]

    def held_out(self) -> Tally:
        """Return the held-out samples, pooled over ranks (a collective operation)."""
        return self.tallies.get("val", Tally()).pooled()

    def without_looks(self) -> Seen:
        """Return what an epoch that is entered again goes on with: all but the looks at held-out samples.

        Those after the last batch are made anew, and must not count twice. Of one amid the batches nobody can tell
        whether the loop makes it again.
        """
        return replace(self, tallies={split: tally for split, tally in self.tallies.items() if split != "val"})

    def plain(self) -> dict[str, Any]:
        """Return it as numbers and lists."""
        return {
            "index": self.index,
            "tail": self.tail,
            "step": self.step,
            "mixed": self.mixed,
            "gate": self.gate,
            "tallies": {split: tally.plain() for split, tally in self.tallies.items()},
            "losses": self.losses.plain(),
        }

    @classmethod
    def from_plain(cls, saved: Mapping[str, Any]) -> Seen:
        """Undo :meth:`plain`."""
        tallies = {split: Tally.from_plain(tally) for split, tally in saved["tallies"].items()}
        return cls(**{**saved, "tallies": tallies, "losses": LossTally.from_plain(saved["losses"])})
