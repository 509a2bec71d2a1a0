"""Epochs: a user's own training loop, driven by asking and telling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from operator import index
from typing import Any

from overmix.errors import ConfigError, OvermixError
from overmix.mix import Recipe, Streams
from overmix.switch.by_step import OffAtStep
from overmix.switch.course import Course
from overmix.switch.epoch import Epoch, Kind, Position, Seen
from overmix.switch.outcome import Outcome
from overmix.switch.phases import Phases
from overmix.switch.policy import Fit, Observation, Policy
from overmix.switch.ranks import rank as current_rank
from overmix.switch.registered import Registered
from overmix.switch.schedule import OffAt, Progress, Schedule, always, mixes

_STATE_VERSION = 4


class Epochs:
    """Drives a training loop: decides for each batch whether it is mixed, and mixes it.

    The loop stays the user's own. Each batch's randomness has an address ``(seed, rank, epoch, step)``, so that a run
    with mixing and one without see the same numbers, ranks of a distributed run see different ones, and a resumed run
    goes on as if it had never stopped. The decision travels with the batch: there is no flag that a loader worker could
    hold a stale copy of.

    With a policy the run may probe: it hands out extra epochs of kind ``"probe"``, plain training whose learning rate
    falls to 0, and then sets everything in ``state`` back, bit for bit. Once the policy has decided, the run goes back
    to the chosen epoch if that has passed, and hands out the remaining epochs unmixed, as kind ``"final"``.

    Args:
        epochs: length of the training, >= 1.
        mix: the recipe, such as ``Mixup(alpha=1.0)``, or one after another: :class:`Phases`.
        switch: when to mix: ``always()``, ``never()``, ``off_at(128)``, ``off_at(0.5)``, or a policy that decides by
            itself from what is observed.
        seed: names the run; runs with one seed are twins.
        rank: the process within a distributed run; by default that of ``torch.distributed``, if it is in use.
        state: all that the training changes, by name: model, optimizer, scheduler, and what else has ``state_dict`` and
            ``load_state_dict`` (gradient scaler, averaged weights) or is a ``torch.Generator`` of a loader. Only
            policies that set the training back need it.
        steps_per_epoch: ``len(loader)``; only policies that probe before the first epoch need it. A switch
            after more steps than it allows for is refused.

    Raises:
        ConfigError: if a setting cannot work.

    Example:
        >>> import torch, overmix
        >>> model = torch.nn.Linear(4, 3)
        >>> run = Epochs(epochs=4, mix=overmix.Mixup(alpha=1.0), switch=overmix.off_at(0.5), seed=0)
        >>> for epoch in run:
        ...     x, y = torch.rand(8, 4), torch.randint(3, (8,))
        ...     x, target = epoch.mix(x, y)
        ...     loss = target.cross_entropy(model(x))
        ...     epoch.observe(model(x), y)
        >>> [seen.mixing for seen in run.history]
        [1.0, 1.0, 0.0, 0.0]
    """

    def __init__(
        self,
        epochs: int,
        mix: Recipe | Phases,
        switch: Schedule | Policy | None = None,
        seed: int = 0,
        rank: int | None = None,
        state: Mapping[str, Any] | None = None,
        steps_per_epoch: int | None = None,
    ) -> None:
        epochs = _count("epochs", epochs)
        if steps_per_epoch is not None:
            steps_per_epoch = _count("steps_per_epoch", steps_per_epoch)
        if not isinstance(mix, Recipe | Phases):
            raise ConfigError("mix", mix, "give a recipe, such as overmix.Mixup(alpha=1.0)")
        if isinstance(mix, Phases):
            mix.starts(epochs)  # refuses what does not fit into so many epochs
        when: Schedule | Policy = always() if switch is None else switch
        if isinstance(when, type):
            raise ConfigError("switch", when.__name__, f"that is the class: give an instance, {when.__name__}()")
        if not isinstance(when, Schedule | Policy):
            raise ConfigError("switch", switch, "give a schedule, such as overmix.off_at(0.5), or a policy")
        if isinstance(when, OffAt) and when.epoch(epochs) > epochs:
            # It would mix to the end, without a word.
            raise ConfigError("off_at", when.when, f"use at most {epochs}, the number of epochs")
        if isinstance(when, OffAtStep) and steps_per_epoch is not None and when.step > epochs * steps_per_epoch:
            raise ConfigError(
                "off_at_step", when.step, f"use at most {epochs * steps_per_epoch}, the steps of the training"
            )
        self.epochs = epochs
        self.recipe = mix
        self.switch = when
        self.streams = _streams(seed, current_rank() if rank is None else rank)
        self._asks_for_rank = rank is None
        registered = Registered(state)
        self._course = Course(epochs, when, registered, steps_per_epoch) if isinstance(when, Policy) else None
        self._past: list[Observation] = []
        self._past_fits: list[Fit] = []
        self._current: Epoch | None = None
        self._pending: Seen | None = None
        self._next = Position()
        self._spent, self._batches = 0, 0

    def __len__(self) -> int:
        """Number of epochs of the whole training; probes and discarded epochs come on top, see :attr:`spent`."""
        return self.epochs

    def __iter__(self) -> Iterator[Epoch]:
        """Yield the epochs that are still to be trained; one whose body ends early counts as trained."""
        if self._asks_for_rank:
            # Again, since the process group may be younger than this object.
            self.streams = self.streams.for_rank(current_rank())
        if self._course is not None:
            self._course.rank = self.streams.rank
            self._course.check()
        while (epoch := self._begin()) is not None:
            yield epoch

    def _begin(self) -> Epoch | None:
        """Close the last epoch, do what is due, and return the next one; None at the end."""
        self._close()
        # A run that resumes inside an epoch had settled before it.
        if self._course is not None and self._next.step == 0:
            self._next = self._course.settle(self._next)
        at = self._next
        if at.tail is None and at.epoch >= self.epochs:
            return None
        scored = at.tail is None or (self._course is not None and self._course.is_last_of_tail(at))
        self._current = Epoch(self, at, self._kind(at), scored=scored)
        # Moved on before the body runs: a state saved at the end of the body counts this epoch as done.
        self._next, self._spent = at.after(), self._spent + 1
        return self._current

    def _close(self) -> None:
        """Write down what the last epoch observed, also if its body was left by ``break``."""
        seen, self._current, self._pending = self._unsettled(), None, None
        if seen is None:
            return
        if self._course is None:
            self._batches += seen.step
            self._past += seen.observations()
            self._past_fits += seen.fits()
        else:
            self._course.close(seen)

    def _unsettled(self) -> Seen | None:
        return self._pending if self._current is None else self._current._seen

    def _kind(self, at: Position) -> Kind:
        if at.tail is not None:
            return "probe"
        return "final" if self._course is not None and not self._course.mixes(at.epoch) else "train"

    def _recipe(self, epoch: Epoch) -> Recipe:
        """Return what an epoch's batches are mixed with, or take their types from."""
        if not isinstance(self.recipe, Phases):
            return self.recipe
        return self.recipe.at(epoch.index, self.epochs) or self.recipe.some()

    def _mixes(self, epoch: Epoch, step: int) -> bool:
        if isinstance(self.recipe, Phases) and self.recipe.at(epoch.index, self.epochs) is None:
            return False
        if isinstance(self.switch, Policy):
            return epoch.kind == "train"
        return mixes(self.switch, Progress(epoch.index, self.epochs, step, self._batches + step), self.streams)

    def _prepare(self, epoch: Epoch, step: int) -> None:
        if epoch.kind == "probe" and self._course is not None:
            self._course.prepare(epoch._position, step)

    @property
    def policy(self) -> Policy | None:
        """What decides, or None if a schedule does."""
        return None if self._course is None else self._course.policy

    @property
    def history(self) -> list[Observation]:
        """What was observed so far, one entry per epoch and split, the current epoch included; probes are not in it.

        Of a distributed run's current epoch, it is what this rank observed.
        """
        past = self._past if self._course is None else self._course.past
        seen = self._unsettled()
        return [*past] if seen is None or seen.tail is not None else [*past, *seen.observations()]

    @property
    def fits(self) -> list[Fit]:
        """How well each epoch's own batches were fitted, where ``epoch.observe_loss`` told; otherwise as `history`."""
        past = self._past_fits if self._course is None else self._course.past_fits
        seen = self._unsettled()
        return [*past] if seen is None or seen.tail is not None else [*past, *seen.fits()]

    @property
    def spent(self) -> int:
        """Epochs trained so far: the run's own, those of probes, and those that were discarded by going back."""
        return self._spent

    @property
    def cost(self) -> float:
        """Epochs trained so far over the epochs of one run."""
        return self._spent / self.epochs

    @property
    def decision(self) -> Outcome:
        """What was seen, what was decided, why, and what it cost so far."""
        if isinstance(self.switch, Policy) and self._course is not None:
            course, decision = self._course, self._course.decision
            seen = tuple(course.evidence)
            return Outcome(self.epochs, decision.switch_at, decision.reason, tuple(course.probes), seen, self._spent)
        at = self.switch.epoch(self.epochs) if isinstance(self.switch, OffAt) else None
        return Outcome(self.epochs, at, _named(self.switch), (), tuple(self.history), self._spent, fixed=True)

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to resume after the current epoch, for ``torch.save`` and ``weights_only`` loading.

        Plain numbers, strings and lists (for a schedule it is JSON), and tensors while a policy holds a snapshot. It
        does not hold the training itself: save model, optimizer, scheduler and generators beside it.
        Save it at the end of the loop's body. To save inside an epoch use :meth:`Epoch.state_dict`.
        """
        return self._state(asdict(self._next), self._unsettled())

    def _state(self, position: Mapping[str, Any], unsettled: Seen | None) -> dict[str, Any]:
        inside = unsettled is None and self._current is not None  # then the current epoch is entered again
        past = self._past if self._course is None else self._course.past
        fits = self._past_fits if self._course is None else self._course.past_fits
        batches = self._batches
        if self._course is None and unsettled is not None:
            batches += unsettled.step
            past, fits, unsettled = [*past, *unsettled.observations()], [*fits, *unsettled.fits()], None
        return {
            "version": _STATE_VERSION,
            "run": self._identity(),
            **position,
            "spent": self._spent - 1 if inside else self._spent,
            "batches": batches,
            "history": [asdict(observation) for observation in past],
            "fits": [asdict(fit) for fit in fits],
            # A policy's scores are pooled over ranks between epochs, not here, where ranks may come one by one.
            "pending": None if unsettled is None else unsettled.plain(),
            "course": None if self._course is None else self._course.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume: the next iteration begins where the state was saved.

        Raises:
            ConfigError: if the state was saved by a run with other settings; the message names the first that differs.
            OvermixError: if it was written by another version of the format.
        """
        if state.get("version") != _STATE_VERSION:
            raise OvermixError(f"state: version {state.get('version')!r} is not {_STATE_VERSION}: start a new run")
        for field, value in self._identity().items():
            if state["run"].get(field) != value:
                raise ConfigError(field, value, f"the saved run has {state['run'].get(field)!r}: use the same settings")
        past, fits = [Observation(**seen) for seen in state["history"]], [Fit(**fit) for fit in state["fits"]]
        tail = None if state["tail"] is None else int(state["tail"])
        self._next = Position(int(state["epoch"]), tail, int(state["step"]), int(state["mixed"]))
        self._spent, self._current, self._batches = int(state["spent"]), None, int(state["batches"])
        self._pending = None if state["pending"] is None else Seen.from_plain(state["pending"])
        if self._course is None:
            self._past, self._past_fits = past, fits
        else:
            self._course.past, self._course.past_fits = past, fits
            self._course.load_state_dict(state["course"])

    def _identity(self) -> dict[str, Any]:
        """Return the settings that a resumed run must share; the rank may differ, since all ranks share one file."""
        return {
            "epochs": self.epochs,
            "mix": _named(self.recipe),
            "switch": _named(self.switch),
            "seed": self.streams.replica_seed,
        }


def _count(field: str, value: Any) -> int:
    # index takes NumPy's integers as well, and no float.
    if isinstance(value, bool) or not hasattr(value, "__index__") or index(value) < 1:
        raise ConfigError(field, value, "use an integer >= 1")
    return index(value)


def _streams(seed: int, rank: int) -> Streams:
    try:
        return Streams(replica_seed=seed, rank=rank)
    except ConfigError as error:
        if error.field != "replica_seed":
            raise
        raise ConfigError("seed", seed, "use an integer in [0, 2**64)") from None  # the name that the user wrote


def _named(part: object) -> str:
    """Return its repr without addresses in memory, which a user's class may show and another process has others of."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(part))
