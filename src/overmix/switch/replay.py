"""A policy asked about a training that is over: what it would have decided there, when, and at what price."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from overmix.switch.policy import Decision, Fit, History, Observation, Policy, Probe


@dataclass(frozen=True)
class Replayed:
    """What a policy decided.

    Args:
        switch_at: epochs of Mixup that it wants.
        done: epochs trained when it decided.
        probes: how many tails it asked for.
        reason: its own.
    """

    switch_at: int
    done: int
    probes: int
    reason: str

    def cost(self, epochs: int, tail: int = 0) -> float:
        """Return the epochs trained over those of one run: ``(max(done, switch) + epochs - switch + tails) / epochs``.

        Going back discards what was trained since the switch.
        """
        return (max(self.done, self.switch_at) + epochs - self.switch_at + tail * self.probes) / epochs


def replay(
    policy: Policy,
    epochs: int,
    observations: Sequence[Observation],
    *,
    also_at: Collection[int] = (),
    probe: Callable[[int, int], Probe] | None = None,
    fits: Sequence[Fit] = (),
) -> Replayed:
    """Let a policy decide on what a finished run of Mixup saw, in the order in which it was seen.

    It is asked before the training and after every epoch that was looked at; one that never decides mixes to the end.

    Args:
        policy: what decides.
        epochs: length of the training.
        observations: of the run, in the order of their epochs.
        also_at: further numbers of epochs after which it is asked.
        probe: returns what a probe after so many epochs, with a tail of such a length, saw; none by default.
        fits: how well the run's own batches were fitted, in the order of their epochs.

    Example:
        >>> from overmix.switch.policies.baselines import Minimum
        >>> looks = [Observation(at, 1.0, n=9, score=score) for at, score in enumerate([0.3, 0.1, 0.2, 0.3])]
        >>> replayed = replay(Minimum(), 4, looks)
        >>> replayed.switch_at, replayed.done, replayed.cost(epochs=4)
        (2, 4, 1.5)
    """
    wanted, tail = set(policy.probe_epochs(epochs)) if probe else set(), policy.tail_epochs(epochs)
    probes: list[Probe] = []
    for done in sorted({0, *(seen.epoch + 1 for seen in observations), *also_at}):
        if probe and done in wanted:
            probes.append(probe(done, tail))
        seen = tuple(look for look in observations if look.epoch < done)
        fitted = tuple(fit for fit in fits if fit.epoch < done)
        decision: Decision = policy.decide(History(epochs, done, seen, tuple(probes), fitted))
        if decision.switch_at is not None:
            return Replayed(decision.switch_at, done, len(probes), decision.reason)
    return Replayed(epochs, epochs, len(probes), "mixed to the end")
