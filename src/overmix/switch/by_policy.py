"""ByPolicy: the course of a run whose policy decides. It carries out the moves of the decision machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from overmix.errors import ConfigError
from overmix.mix import StreamSource
from overmix.switch.epoch import EpochKind
from overmix.switch.machine import Drop, EndWith, GoBack, Keep, Machine, Move, Standing, StartProbe
from overmix.switch.outcome import Outcome
from overmix.switch.policy import Decision, History, Observation, Policy, Probe
from overmix.switch.position import Position, Seen
from overmix.switch.probing import Tail
from overmix.switch.record import Record
from overmix.switch.registered import EXAMPLE, Registered
from overmix.switch.same_samples import SameSamples
from overmix.switch.schedule import Progress
from overmix.switch.snapshot import Snapshot, check_states, restore, take
from overmix.switch.steps import StepCounter
from overmix.switch.tally import Tally


class Held(NamedTuple):
    """A state of the training that may be gone back to.

    Args:
        epoch: epochs done.
        snapshot: of all that is registered.
        steps: optimizer steps done.
    """

    epoch: int
    snapshot: Snapshot
    steps: int


class ByPolicy:
    """Carries out what the machine says: keeps and drops states, runs probes, goes back.

    Args:
        machine: asks the policy.
        registered: what is set back.
        steps: counts the optimizer's steps.
        steps_per_epoch: optimizer steps in an epoch; None: as many as the longest epoch so far had.
        doubt: the task, where switching off has done harm.

    Raises:
        ConfigError: if the policy probes and cannot, for want of something registered or known.
    """

    def __init__(
        self,
        machine: Machine,
        registered: Registered,
        steps: StepCounter,
        steps_per_epoch: int | None,
        doubt: str = "",
    ) -> None:
        self.machine, self.registered, self.doubt = machine, registered, doubt
        self.record = Record()
        self.standing = Standing()
        self.probes: list[Probe] = []
        self.evidence: tuple[Observation, ...] = ()
        self._steps, self._told, self._per_epoch = steps, steps_per_epoch, steps_per_epoch or 0
        self._rank, self._resumed, self._only_observed = 0, False, False
        self._probing: Held | None = None
        self._kept: Held | None = None
        self._ended_with: int | None = None
        self._tail: Tail | None = None
        self._samples, self._scored = SameSamples(), Tally()
        if machine.planned and not registered:
            raise ConfigError("state", None, f"the policy probes and sets the training back: give {EXAMPLE}")
        if machine.planned and machine.planned[0] == 0 and steps_per_epoch is None:
            raise ConfigError("steps_per_epoch", None, "the policy probes before the first epoch: give len(loader)")
        self._check_registered()
        if machine.planned:
            check_states(registered)

    @property
    def policy(self) -> Policy:
        """What decides."""
        return self.machine.policy

    @property
    def held_by(self) -> str:
        """The policy's name, and what it has decided."""
        at = self.standing.decision.switch_at
        said = "undecided" if at is None else "on to the end" if at >= self.machine.epochs else f"off after {at} epochs"
        return f"{type(self.policy).__name__}: {said}"

    def begin(self, rank: int) -> None:
        """Refuse an incomplete ``state``, again, as a scheduler may have come meanwhile."""
        self._rank = rank
        self._check_registered()

    def _check_registered(self) -> None:
        if self.machine.planned or (self.registered and self._kept is not None):
            self._check_complete()

    def _check_complete(self) -> None:
        self.registered.check_complete()
        if self.machine.planned:
            self.registered.check_rates()

    def kind(self, at: Position) -> EpochKind:
        """Return ``"probe"`` in a tail, ``"final"`` after the switch, and ``"train"`` elsewhere."""
        if at.tail is not None:
            return "probe"
        return "train" if self.standing.mixes(at.epoch) else "final"

    def scores(self, at: Position) -> bool:
        """Return whether an epoch is the run's own, or the last of a tail."""
        return at.tail is None or at.tail == self.machine.tail - 1

    def mixes(self, kind: EpochKind, progress: Progress, streams: StreamSource) -> bool:
        """Return whether the epoch is one of Mixup: a policy switches between epochs."""
        return kind == "train"

    def enter(self, at: Position) -> None:
        """Set up a tail, at its beginning or where a run that resumed is inside of it."""
        self._only_observed = at.trained
        if at.tail is None or self._probing is None:
            return
        if self._tail is None:
            self._tail = Tail(self.registered, self._probing.snapshot, self.machine.tail * self._per_epoch)
            self._tail.begin()
        self._steps.listener = self._before_step
        self._before_step(self._steps.done)

    def _before_step(self, done: int) -> None:
        if self._tail is not None and self._probing is not None:
            self._tail.step(done - self._probing.steps)

    def close(self, seen: Seen) -> None:
        """Take in what an epoch observed; every rank comes here, as scores are pooled over ranks."""
        self._count_steps(seen)
        if seen.tail is None:
            self.record.add(seen, pooled=True)
        elif seen.tail == self.machine.tail - 1:
            self._scored = seen.held_out()

    def _count_steps(self, seen: Seen) -> None:
        steps, told = self._steps.in_epoch, self._told
        # The first epoch that is trained after a resume may have fewer, and one that nobody trained has none.
        if self.machine.planned and told is not None and steps and not self._resumed and not self._as_told(steps, told):
            remedy = f"epoch {seen.index} had {steps} optimizer steps: give len(loader), or what accumulation leaves"
            raise ConfigError("steps_per_epoch", told, remedy)
        self._per_epoch = max(self._per_epoch, steps)
        self._resumed = self._resumed and self._only_observed

    def _as_told(self, steps: int, told: int) -> bool:
        """Whether an epoch had the steps that were told; a gradient scaler leaves some out, but never half of them."""
        return steps == told or (told // 2 < steps < told and self.registered.scales_gradients)

    def settle(self, at: Position) -> Position:
        """Do what is due between two epochs, and return where the run goes on."""
        if at.tail is not None:
            if at.tail < self.machine.tail:
                return at
            at = self._end_probe(at)
        if not self.standing.decided or self.machine.watches:
            history = self._history(at.epoch)
            if not self.standing.decided:
                self.evidence = history.observations
            self.standing, moves = self.machine.ask(self.standing, history)
            for move in moves:
                at = self._carry_out(move, at)
        if at.tail is None:
            self._probing = None
        return at

    def _history(self, done: int) -> History:
        observations, fits = tuple(self.record.observations), tuple(self.record.fits)
        return History(self.machine.epochs, done, observations, tuple(self.probes), fits, self.doubt)

    def _carry_out(self, move: Move, at: Position) -> Position:
        match move:
            case Keep():
                self._kept = self._held(at.epoch)
            case Drop():
                self._kept = None
            case StartProbe():
                return self._start_probe(at)
            case GoBack():
                return self._go_back(at)
            case EndWith():
                self._end_with_kept()
        return at

    def _start_probe(self, at: Position) -> Position:
        if not self._per_epoch:
            remedy = "no optimizer stepped and no batch went through epoch.mix, so that no tail can be annealed"
            raise ConfigError("steps_per_epoch", 0, remedy)
        self._probing = self._held(at.epoch)
        return Position(at.epoch, tail=0, reached=at.reached)

    def _end_probe(self, at: Position) -> Position:
        scored, self._scored = self._scored, Tally()
        self._undo_probe()
        self.probes.append(self._samples.probe(at.epoch, self.machine.tail, scored))
        return at.at(at.epoch)

    def _undo_probe(self) -> None:
        """Set the training back to where the probe began."""
        assert self._probing is not None
        self._end_tail()
        self._restore(self._probing)

    def _end_tail(self) -> None:
        self._steps.listener = None
        if self._tail is not None:
            self._tail.end()
            self._tail = None

    def leave(self, at: Position) -> Position:
        """Set the training back if it stops inside of a probe, which is begun again if the run goes on."""
        if at.tail is None or self._probing is None:
            return at
        self._undo_probe()
        self._probing = None
        return at.at(at.epoch)

    def _go_back(self, at: Position) -> Position:
        assert self._kept is not None
        kept, self._kept = self._kept, None
        self._restore(kept)
        self.record.cut(kept.epoch)
        return at.at(kept.epoch)

    def _end_with_kept(self) -> None:
        """Set back what was trained, and not the run: it has had all of its epochs."""
        assert self._kept is not None
        kept, self._kept = self._kept, None
        restore(self.registered, kept.snapshot, self._rank)
        self._ended_with = kept.epoch

    def _restore(self, held: Held) -> None:
        restore(self.registered, held.snapshot, self._rank)
        self._steps.start(held.steps)

    def _held(self, epoch: int) -> Held:
        """Return the state of the training, which stands after ``epoch`` epochs; one that is held already is shared."""
        for held in (self._probing, self._kept):
            if held is not None and held.epoch == epoch:
                return held
        if not self.registered:
            raise ConfigError("state", None, f"the policy may set the training back: give {EXAMPLE}")
        self._check_complete()
        new = Held(epoch, take(self.registered, self._rank), self._steps.done)
        others = [held for held in (self._probing, self._kept) if held is not None]
        self.registered.bystanders.keep_only([held.snapshot["bystanders"] for held in (*others, new)])
        return new

    def outcome(self, history: Sequence[Observation], spent: int, note: str) -> Outcome:
        """Return what was decided, from what."""
        at, reason = self.standing.decision.switch_at, self.standing.decision.reason
        if self._ended_with is not None:
            ended = f"Plain training over-trained: it ends with its best weights, after {self._ended_with} epochs"
            note = f"{ended}. {note}" if note else ended
        return Outcome(self.machine.epochs, at, reason, tuple(self.probes), self.evidence, spent, note=note)

    def state_dict(self) -> dict[str, Any]:
        """Return it as plain numbers, strings, lists and tensors."""
        return {
            "record": self.record.plain(),
            "decision": asdict(self.standing.decision),
            "probes": [{**asdict(probe), "scores": list(probe.scores)} for probe in self.probes],
            "evidence": [asdict(seen) for seen in self.evidence],
            "samples": self._samples.plain(),
            "per_epoch": self._per_epoch,
            "probing": _plain(self._probing),
            "kept": _plain(self._kept),
            "ended_with": self._ended_with,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Undo :meth:`state_dict`."""
        self._end_tail()  # of a run that is set back from inside a probe
        self.record = Record.from_plain(state["record"])
        self.probes = [Probe(**{**probe, "scores": tuple(probe["scores"])}) for probe in state["probes"]]
        self.evidence = tuple(Observation(**seen) for seen in state["evidence"])
        self._samples = SameSamples.from_plain(state["samples"])
        self._per_epoch, self._resumed = int(state["per_epoch"]), True
        self._probing, self._kept = (_held(state[name]) for name in ("probing", "kept"))
        self._ended_with = state["ended_with"]
        kept = None if self._kept is None else self._kept.epoch
        self.standing = Standing(Decision(**state["decision"]), kept)


def _plain(held: Held | None) -> list[Any] | None:
    """Return it as a list, with a snapshot of its own: a tail takes notes in the one that it was begun from."""
    return None if held is None else [held.epoch, dict(held.snapshot), held.steps]


def _held(saved: Sequence[Any] | None) -> Held | None:
    """Undo :func:`_plain`."""
    return None if saved is None else Held(int(saved[0]), dict(saved[1]), int(saved[2]))
