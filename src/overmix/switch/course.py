"""Course: what a run has decided, what it holds to go back to, and the moves between epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from overmix.errors import ConfigError, DataError
from overmix.switch.epoch import Position, Seen
from overmix.switch.policy import Decision, Fit, History, Observation, Policy, Probe
from overmix.switch.probing import Tail, planned_probes
from overmix.switch.registered import EXAMPLE, Registered
from overmix.switch.snapshot import Snapshot, restore, take

Kept = tuple[int, Snapshot]
"""The epochs done, and the state of the training there."""


class Course:
    """The moves of a run whose policy decides: ask it, probe, keep, go back.

    Args:
        epochs: length of the run.
        policy: decides.
        registered: what is set back.
        steps_per_epoch: batches in an epoch; None: as many as the longest epoch so far had.

    Raises:
        ConfigError: if the policy probes and cannot, for want of something registered or known.
    """

    def __init__(self, epochs: int, policy: Policy, registered: Registered, steps_per_epoch: int | None) -> None:
        self.epochs, self.policy, self.registered = epochs, policy, registered
        self.planned = planned_probes(policy, epochs)
        self.tail = policy.tail_epochs(epochs) if self.planned else 0
        self.rank = 0
        self.decision = Decision(None, "nothing was seen yet")
        self.probes: list[Probe] = []
        self.past: list[Observation] = []
        self.past_fits: list[Fit] = []
        self.evidence: list[Observation] = []
        self._told_steps, self._steps = steps_per_epoch, steps_per_epoch or 0
        self._probing: Kept | None = None
        self._kept: Kept | None = None
        self._tail: Tail | None = None
        self._samples: tuple[float, ...] = ()
        self._labels: tuple[int, ...] = ()
        self._first_labels: tuple[int, ...] | None = None
        if self.planned and not registered:
            raise ConfigError("state", None, f"the policy probes and sets the training back: give {EXAMPLE}")
        if self.planned and self.planned[0] == 0 and steps_per_epoch is None:
            raise ConfigError("steps_per_epoch", None, "the policy probes before the first epoch: give len(loader)")
        self.check()

    def check(self) -> None:
        """Refuse an incomplete ``state``; again when the loop begins, as a scheduler may have come meanwhile."""
        if self.planned or (self.registered and self._kept is not None):
            self.registered.check_complete()

    @property
    def decided(self) -> bool:
        """Whether the policy has made its decision."""
        return self.decision.switch_at is not None

    def mixes(self, index: int) -> bool:
        """Return whether an epoch of the run itself is mixed."""
        return self.decision.switch_at is None or index < self.decision.switch_at

    def is_last_of_tail(self, position: Position) -> bool:
        """Return whether a probe is scored at the end of this epoch."""
        return position.tail == self.tail - 1

    def close(self, seen: Seen) -> None:
        """Take in what an epoch observed; every rank comes here, as scores are pooled over ranks."""
        self._count_steps(seen)
        if seen.tail is None:
            self.past += seen.observations(pooled=True)
            self.past_fits += seen.fits(pooled=True)
        elif seen.tail == self.tail - 1:
            self._samples, self._labels = seen.samples()

    def _count_steps(self, seen: Seen) -> None:
        told = self._told_steps
        if self.planned and told is not None and seen.step not in (0, told):
            raise ConfigError("steps_per_epoch", told, f"epoch {seen.index} had {seen.step} batches: give len(loader)")
        self._steps = max(self._steps, seen.step)

    def settle(self, at: Position) -> Position:
        """Do what is due between two epochs, and return where the run goes on."""
        if at.tail is not None:
            if at.tail < self.tail:
                return at
            at = self._end_probe(at)
        if self.decided:
            return at
        at = self._ask(at)
        if not self.decided and at.epoch in self.planned and all(probe.epoch != at.epoch for probe in self.probes):
            self._begin_probe(at)
            return Position(at.epoch, tail=0)
        return at

    def prepare(self, position: Position, step: int) -> None:
        """Set up the next batch of a probe's tail."""
        if self._probing is None or position.tail is None:
            return
        if self._tail is None:
            self._tail = Tail(self.registered, self._probing[1], self.tail * self._steps)
            self._tail.begin()
        self._tail.step(position.tail * self._steps + step)

    def _begin_probe(self, at: Position) -> None:
        if not self._steps:
            raise ConfigError("steps_per_epoch", 0, "no batch went through epoch.mix, so that no tail can be annealed")
        self._probing = at.epoch, self._snapshot_of(at.epoch)

    def _end_probe(self, at: Position) -> Position:
        assert self._probing is not None
        samples, self._samples = self._samples, ()
        if self._tail is not None:
            self._tail.end()
            self._tail = None
        restore(self.registered, self._probing[1], self.rank)
        if self._first_labels is None:
            self._first_labels = self._labels
        n = len(self._first_labels)
        if not samples:
            raise DataError(
                f"probe after epoch {at.epoch}: nothing was observed in the last epoch of its tail: "
                "call epoch.observe(logits, labels) wherever epoch.scored is true"
            )
        if len(samples) != n:
            raise DataError(
                f"probe after epoch {at.epoch}: {len(samples)} held-out samples, the first probe had {n}: "
                "observe the same ones in the same order"
            )
        if self._labels != self._first_labels:
            raise DataError(
                f"probe after epoch {at.epoch}: the held-out samples have other labels than at the first probe, or "
                "come in another order: scores are compared sample by sample, so load them with shuffle=False"
            )
        self.probes.append(Probe(at.epoch, self.tail, samples))
        return Position(at.epoch)

    def _ask(self, at: Position) -> Position:
        """Ask the policy, keep what it wants to keep, and go where it decides to."""
        history = History(self.epochs, at.epoch, tuple(self.past), tuple(self.probes), tuple(self.past_fits))
        decision = self.policy.decide(history)
        self._check_decision(decision)
        self.decision, self.evidence = decision, list(self.past)
        if decision.switch_at is None:
            self._keep(decision.keep, at.epoch)
            self._probing = None
            return at
        kept, self._kept, self._probing = self._kept, None, None
        if decision.switch_at >= at.epoch:
            return at
        if kept is None or kept[0] != decision.switch_at:
            raise ConfigError("switch_at", decision.switch_at, "a policy that goes back must name the epoch as keep")
        restore(self.registered, kept[1], self.rank)
        self.past = [seen for seen in self.past if seen.epoch < kept[0]]
        self.past_fits = [fit for fit in self.past_fits if fit.epoch < kept[0]]
        return Position(kept[0])

    def _check_decision(self, decision: object) -> None:
        if not isinstance(decision, Decision):
            raise ConfigError("switch", decision, "decide(history) returns an overmix.switch.Decision")
        at = decision.switch_at
        if at is not None and not (isinstance(at, int) and 0 <= at <= self.epochs):
            raise ConfigError("switch_at", at, f"a policy decides for None or an epoch in [0, {self.epochs}]")

    def _keep(self, epoch: int | None, now: int) -> None:
        if epoch is None:
            self._kept = None
        elif epoch == now:
            self._kept = now, self._snapshot_of(now)
        elif self._kept is None or self._kept[0] != epoch:
            raise ConfigError("keep", epoch, "that state is gone: a policy names an epoch while the run is there")

    def _snapshot_of(self, epoch: int) -> Snapshot:
        """Return the state of the training, which stands after ``epoch`` epochs; one that is held already is shared."""
        for held in (self._probing, self._kept):
            if held is not None and held[0] == epoch:
                return held[1]
        if not self.registered:
            raise ConfigError("state", None, f"the policy may set the training back: give {EXAMPLE}")
        self.registered.check_complete()
        return take(self.registered, self.rank)

    def state_dict(self) -> dict[str, Any]:
        """Return it as plain numbers, strings, lists and tensors."""
        return {
            "decision": asdict(self.decision),
            "probes": [{**asdict(probe), "brier": list(probe.brier)} for probe in self.probes],
            "evidence": [asdict(seen) for seen in self.evidence],
            "samples": list(self._samples),
            "labels": list(self._labels),
            "first_labels": None if self._first_labels is None else list(self._first_labels),
            "steps": self._steps,
            "probing": None if self._probing is None else [self._probing[0], dict(self._probing[1])],
            "kept": None if self._kept is None else list(self._kept),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Undo :meth:`state_dict`."""
        if self._tail is not None:
            self._tail.end()
            self._tail = None
        self.decision = Decision(**state["decision"])
        self.probes = [Probe(probe["epoch"], probe["tail"], tuple(probe["brier"])) for probe in state["probes"]]
        self.evidence = [Observation(**seen) for seen in state["evidence"]]
        self._samples, self._steps = tuple(state["samples"]), int(state["steps"])
        self._labels, first = tuple(state["labels"]), state["first_labels"]
        self._first_labels = None if first is None else tuple(first)
        self._probing, self._kept = (
            None if state[name] is None else (int(state[name][0]), state[name][1]) for name in ("probing", "kept")
        )
