"""The contract of policies: what they see, what they answer. A policy is a pure function of what was seen.

There is no hidden state to save, to copy between processes or to get out of step: the same history gives the same
decision, in a study, in a user's own loop, after a resume, and on every rank.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from overmix.errors import ConfigError

Split = Literal["val", "train"]
"""``"val"``: samples held out from training. ``"train"``: the clean training samples, seen only in mixtures."""


ScoreKind = Literal["brier", "scores"]
"""What a sample's score is: ``"brier"``, ``|p - onehot(y)|^2`` of a prediction of classes; ``"scores"``, a number of
the user's own. Lower is better. One run has one kind."""


@dataclass(frozen=True)
class Observation:
    """What was seen at the end of an epoch.

    Args:
        epoch: zero-based epoch.
        mixing: share of the epoch's batches that were mixed.
        n: number of samples.
        score: mean score of the samples; lower is better.
        kind: what a score is.
        split: which samples.
        error: share misclassified; None, as all that follows, where samples have no class.
        cross_entropy: mean of ``-log p[y]``, in nats.
        ece: expected calibration error.
        margin: mean of ``p[y] - max over c != y of p[c]`` over clean training samples; None for held-out ones.

    Example:
        >>> Observation(0, 1.0, n=200, score=0.31).brier
        0.31
    """

    epoch: int
    mixing: float
    n: int
    score: float
    kind: ScoreKind = "brier"
    split: Split = "val"
    error: float | None = None
    cross_entropy: float | None = None
    ece: float | None = None
    margin: float | None = None

    @property
    def brier(self) -> float | None:
        """The score, where it is the Brier score."""
        return self.score if self.kind == "brier" else None


@dataclass(frozen=True)
class Fit:
    """How well an epoch's own batches were fitted, mixed as they were.

    Args:
        epoch: zero-based epoch.
        mixing: share of the epoch's batches that were mixed.
        n: number of samples.
        loss: mean training loss, in nats where it is the cross-entropy.
        floor: mean entropy of their labels: no model's cross-entropy on them is below. 0 where nothing is mixed, and
            for losses that have no floor above 0.
    """

    epoch: int
    mixing: float
    n: int
    loss: float
    floor: float

    @property
    def above_floor(self) -> float:
        """Distance of the loss to its floor: the part that a better fit could still remove."""
        return self.loss - self.floor


@dataclass(frozen=True)
class Probe:
    """What a short tail of plain training promised, if Mixup were switched off here.

    Args:
        epoch: epochs of Mixup before the tail.
        tail: length of the tail, in epochs.
        scores: of each held-out sample after the tail, always in the same order; lower is better.
        kind: what a score is.

    Example:
        >>> Probe(4, 2, (0.2, 0.4)).score, Probe(8, 2, (0.2, math.nan)).score
        (0.30000000000000004, inf)
    """

    epoch: int
    tail: int
    scores: tuple[float, ...]
    kind: ScoreKind = "brier"

    @property
    def finite(self) -> bool:
        """Whether every score is a number; if not the tail diverged, and promises nothing."""
        return all(map(math.isfinite, self.scores))

    @property
    def score(self) -> float:
        """Mean score over the held-out samples; ``inf``, behind every other, for a tail that diverged."""
        return math.fsum(self.scores) / len(self.scores) if self.finite else math.inf


@dataclass(frozen=True)
class History:
    """All that a policy may know.

    Args:
        epochs: length of the training.
        done: epochs trained with Mixup so far; probes do not count.
        observations: in the order of their epochs.
        probes: in the order of their epochs.
        fits: of the training's own batches, in the order of their epochs.
        doubt: the task, where switching the recipe off has done harm, see
            :attr:`overmix.mix.Recipe.off_doubt`.
    """

    epochs: int
    done: int = 0
    observations: tuple[Observation, ...] = ()
    probes: tuple[Probe, ...] = ()
    fits: tuple[Fit, ...] = ()
    doubt: str = ""


@dataclass(frozen=True)
class Decision:
    """What a policy answers.

    Args:
        switch_at: epochs of Mixup in the run that is wanted; the rest is plain training. 0: no Mixup at all. As many as
            the training has: Mixup to the end. ``None``: nothing is decided yet, go on mixing. An epoch that has passed
            means to go back to the state that the run had there.
        reason: why, in one sentence for the user.
        keep: an epoch whose state must be kept, since a later decision may go back to it.
    """

    switch_at: int | None
    reason: str
    keep: int | None = None


UNDECIDED = Decision(None, "nothing was seen yet")


@runtime_checkable
class Policy(Protocol):
    """Decides when Mixup goes off, from what was seen. Implementations are frozen dataclasses.

    One that inherits from this class need only say how it decides: it probes nowhere.

    Example:
        >>> @dataclass(frozen=True)
        ... class AfterError(Policy):
        ...     level: float = 0.1
        ...     def decide(self, history: History) -> Decision:
        ...         low = any(seen.error is not None and seen.error < self.level for seen in history.observations)
        ...         return Decision(history.done, "low enough") if low else Decision(None, "too high")
        >>> AfterError().probe_epochs(epochs=100)
        ()
    """

    def probe_epochs(self, epochs: int) -> tuple[int, ...]:
        """Return after how many epochs of Mixup a probe is wanted, increasing; empty for policies that do not probe.

        Each lies in [0, epochs). An entry of 0 is a probe before any training.
        """
        return ()

    def tail_epochs(self, epochs: int) -> int:
        """Return the length of a probe's tail in epochs, >= 1; the learning rate falls linearly to 0 along it."""
        return 1

    def decide(self, history: History) -> Decision:
        """Return the decision after what was seen; asked until it is made.

        It is asked before the first epoch, after every epoch, and after every probe; where a probe is due, before it
        and after it. After the last epoch it is asked for the last time. To be able to go back to an epoch, ``keep``
        must name it while it is the present one (``done``), and in every answer from then on: one state is held.
        """
        ...


def tail_factor(step: int, steps: int) -> float:
    """Return ``1 - step / steps``, the factor on the learning rate at a zero-based step of a probe's tail.

    The tail starts at the learning rate that the run has there, and anneals it, since a probe asks where plain training
    would end, not where its noise happens to stand.

    Example:
        >>> [tail_factor(step, steps=4) for step in range(4)]
        [1.0, 0.75, 0.5, 0.25]
    """
    if not 0 <= step < steps:
        raise ConfigError("step", step, f"use 0 to {steps - 1}")
    return 1 - step / steps
