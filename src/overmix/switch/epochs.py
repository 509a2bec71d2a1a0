"""Epochs: a user's own training loop, driven by asking and telling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from overmix.errors import OvermixError
from overmix.mix import Recipe
from overmix.switch.by_policy import ByPolicy
from overmix.switch.course import BySchedule, Course
from overmix.switch.epoch import Book, Epoch
from overmix.switch.gate import Gate
from overmix.switch.handing_out import HandingOut
from overmix.switch.identity import settings_by_name, without_addresses
from overmix.switch.machine import Machine
from overmix.switch.mixing import Mixer
from overmix.switch.outcome import GATED, MIXUP, Outcome
from overmix.switch.phases import Phases
from overmix.switch.policy import Fit, Observation, Policy
from overmix.switch.position import Position, Seen
from overmix.switch.ranks import rank as current_rank
from overmix.switch.registered import Registered
from overmix.switch.run_state import VERSION, check_state, position_of
from overmix.switch.schedule import Progress, Schedule
from overmix.switch.settings import check_recipe, streams_of, switch_of, whole_number
from overmix.switch.steps import StepCounter
from overmix.switch.threads import used_here


class Epochs:
    """Drives a training loop: decides for each batch whether it is mixed, and mixes it.

    The loop stays the user's own. Each batch's randomness has an address ``(seed, rank, epoch, step)``, so that a run
    with mixing and one without see the same numbers, ranks of a distributed run see different ones, and a resumed run
    goes on as if it had never stopped. The decision travels with the batch: there is no flag that a loader worker could
    hold a stale copy of.

    With a policy the run may probe: it hands out extra epochs of kind ``"probe"``, plain training whose learning rate
    falls to 0, and then sets everything in ``state`` back, bit for bit. Once the policy has decided, the run goes back
    to the chosen epoch if that has passed, and hands out the remaining epochs unmixed, as kind ``"final"``.

    A framework that owns its loop calls :meth:`before` at the start of each of its epochs instead.

    Args:
        epochs: length of the training, >= 1.
        mix: the recipe, such as ``Mixup(alpha=1.0)``, or one after another: :class:`Phases`. Without one, ``epoch.on``
            says whether what you gate yourself is on, and :attr:`gate` says it to a loader's workers.
        switch: when to mix: ``always()``, ``never()``, ``off_at(128)``, ``off_at(0.5)``, or a policy that decides by
            itself from what is observed.
        seed: names the run; runs with one seed are twins.
        rank: the process within a distributed run; by default that of ``torch.distributed``, if it is in use.
        state: all that the training changes, by name: model, optimizer, scheduler, and what else has ``state_dict`` and
            ``load_state_dict`` (gradient scaler, averaged weights) or is a ``torch.Generator`` of a loader. Policies
            that set the training back need it. The steps of its optimizers are what a switch in steps counts.
        steps_per_epoch: optimizer steps in an epoch, ``len(loader)`` if no gradients accumulate; only policies that
            probe before the first epoch need it. A switch after more steps than it allows for is refused.

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
        mix: Recipe | Phases | None = None,
        switch: Schedule | Policy | None = None,
        seed: int = 0,
        rank: int | None = None,
        state: Mapping[str, Any] | None = None,
        steps_per_epoch: int | None = None,
    ) -> None:
        self.epochs = whole_number("epochs", epochs)
        per_epoch = None if steps_per_epoch is None else whole_number("steps_per_epoch", steps_per_epoch)
        check_recipe(mix, self.epochs)
        self.recipe, self.switch = mix, switch_of(switch)
        self.streams = streams_of(seed, current_rank() if rank is None else rank)
        self._asks_for_rank = rank is None
        self._registered = registered = Registered(state)
        self._steps = StepCounter(registered.optimizers)
        self._course = self._course_of(registered, per_epoch)
        self._out = HandingOut(self._course, self._steps, self.epochs, self._epoch, mixes=mix is not None)
        self._begun = self._led = False
        self._loop: object = None
        self._gate: Gate | None = None

    def _course_of(self, registered: Registered, per_epoch: int | None) -> Course:
        if isinstance(self.switch, Policy):
            doubt = "" if self.recipe is None else self.recipe.off_doubt
            return ByPolicy(Machine(self.switch, self.epochs), registered, self._steps, per_epoch, doubt)
        self.switch.check(self.epochs, None if per_epoch is None else self.epochs * per_epoch)
        return BySchedule(self.switch, self.epochs, without_addresses(repr(self.switch)))

    def __len__(self) -> int:
        """Number of epochs of the whole training; probes and discarded epochs come on top, see :attr:`spent`."""
        return self.epochs

    def __repr__(self) -> str:
        """Say in a line where it stands: epoch, what was mixed, what decides, and what is registered."""
        return (
            f"Epochs({self._out.where}; {self._course.held_by}; state: {', '.join(self._registered.objects) or None})"
        )

    def __iter__(self) -> Iterator[Epoch]:
        """Yield the epochs that are still to be trained.

        One whose body ends early counts as trained. A loop that is left inside of a probe sets the training back.
        """
        self._loop = loop = object()
        self._begun = False
        try:
            while (epoch := self.next_epoch()) is not None:
                yield epoch
        finally:
            if self._loop is loop:  # no other loop over this run has begun meanwhile
                self._out.leave()

    def next_epoch(self) -> Epoch | None:
        """Close the last epoch, do what is due, and return the next one; None at the end.

        A step of ``for epoch in run``, for loops that cannot be written so.

        Raises:
            ConfigError: if a policy gives an answer that cannot be followed, or something that it needs is missing.
            DataError: if a probe was not observed, or on other samples than the first one.
        """
        self._led = False
        self._begin()
        return self._out.step()

    def before(self, index: int, train: Callable[[Epoch], object]) -> Epoch | None:
        """Train what is due before a loop's own epoch, and return that epoch: for frameworks that count epochs.

        A framework's loop calls it at the start of each of its epochs, and with ``index == epochs`` after the last one.
        What is due is handed to ``train``: the epochs of a probe, and after going back those that were discarded. So
        the framework's counters, its progress bar and its loggers never go back.

        Args:
            index: zero-based epoch that the loop is about to train.
            train: trains one epoch from batch ``epoch.step`` on, none if ``epoch.trained``, and observes if
                ``epoch.scored``.

        Returns:
            The loop's own epoch, which may have been resumed inside; None at the end.

        Raises:
            ConfigError: if the loop is about to train another epoch than the run.

        Example:
            >>> import overmix
            >>> run = Epochs(epochs=3, mix=overmix.Mixup(), switch=overmix.off_at(1))
            >>> for number in range(3):
            ...     epoch = run.before(number, train=print)
            >>> run.before(3, train=print)
        """
        self._out.check_index(index)
        self._led = True
        self._begin()
        while (epoch := self._out.step(upto=index)) is not None:
            if not epoch.nested:
                return epoch
            try:
                train(epoch)
            except BaseException:
                self._out.leave()
                raise
        return None

    def _begin(self) -> None:
        """Check what can be checked when the loop begins."""
        if self._begun:
            return
        if self._asks_for_rank:
            # Again, since the process group may be younger than this object.
            self.streams = self.streams.for_rank(current_rank())
        used_here(self._registered.parts().values())  # which a run in another thread then knows as no part of its own
        self._course.begin(self.streams.rank)
        self._begun = True

    def _epoch(self, at: Position, nested: bool, begun: Seen | None) -> Epoch:
        index, kind = at.epoch + (at.tail or 0), self._course.kind(at)
        recipe, plain = self._recipe_of(index)

        def gate(step: int, steps: int | None) -> bool:
            return not plain and self._course.mixes(kind, Progress(index, self.epochs, step, steps), self.streams)

        mixer = Mixer(index, recipe, self.streams, gate, self._steps)
        book = Book(self._state_inside, self._check_kind, per_sample=self.policy is not None)
        epoch = Epoch(at, kind, mixer, book, scored=self._course.scores(at), nested=nested, begun=begun)
        if self._gate is not None:
            self._gate.set(epoch.on)
        return epoch

    def _recipe_of(self, index: int) -> tuple[Recipe | None, bool]:
        """Return what an epoch's batches are mixed with or take their types from, and whether it is a plain phase."""
        if not isinstance(self.recipe, Phases):
            return self.recipe, False
        recipe = self.recipe.at(index, self.epochs)
        return recipe or self.recipe.some(), recipe is None

    def _check_kind(self, kind: Any) -> None:
        self._course.record.check_kind(kind)

    @property
    def gate(self) -> Gate:
        """What says ``epoch.on`` to the workers of a loader, see :class:`Gate`: for what a dataset does by itself.

        Raises:
            ConfigError: if the switch is after a number of steps, which may fall inside of an epoch.
        """
        if self._gate is None:
            self._course.mixes("train", Progress(0, self.epochs), self.streams)  # refuses schedules in steps
            self._gate = Gate()
            if self._out.current is not None:
                self._gate.set(self._out.current.on)
        return self._gate

    @property
    def policy(self) -> Policy | None:
        """What decides, or None if a schedule does."""
        return self._course.policy

    @property
    def history(self) -> list[Observation]:
        """What was observed so far, one entry per epoch and split, the current epoch included; probes are not in it.

        Of a distributed run's current epoch, it is what this rank observed.
        """
        seen, past = self._out.unsettled, self._course.record.observations
        return [*past] if seen is None or seen.tail is not None else [*past, *seen.observations()]

    @property
    def fits(self) -> list[Fit]:
        """How well each epoch's own batches were fitted, where ``epoch.observe_loss`` told; otherwise as `history`."""
        seen, past = self._out.unsettled, self._course.record.fits
        return [*past] if seen is None or seen.tail is not None else [*past, *seen.fits()]

    @property
    def spent(self) -> int:
        """Epochs trained so far: the run's own, those of probes, and those that were discarded by going back."""
        return self._out.spent

    @property
    def cost(self) -> float:
        """Epochs trained so far over the epochs of one run."""
        return self.spent / self.epochs

    @property
    def steps(self) -> int:
        """Optimizer steps of the run so far, or batches where no optimizer is registered."""
        return self._steps.done

    @property
    def decision(self) -> Outcome:
        """What was seen, what was decided, why, and what it cost so far."""
        open_end = self._led and self._out.at_the_end
        note = f"The last epoch is not closed: end the loop with run.before({self.epochs}, train)" if open_end else ""
        said = self._course.outcome(self.history, self.spent, note)
        return replace(said, what=GATED if self.recipe is None else MIXUP)

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to resume after the current epoch, for ``torch.save`` and ``weights_only`` loading.

        Plain numbers, strings and lists (for a schedule it is JSON), and tensors while a policy holds a snapshot. It
        does not hold the training itself: save model, optimizer, scheduler and generators beside it.
        Save it at the end of the loop's body. To save inside an epoch use :meth:`Epoch.state_dict`. What the epoch
        observed is in it as this rank observed it: where a policy decides, and ranks observe samples of their own, save
        one for each rank.
        """
        # A policy's scores are pooled over ranks between epochs, not here, where ranks may come one by one.
        seen = self._out.unsettled
        return self._state(self._out.next, self.spent, None if seen is None else seen.plain())

    def _state_inside(self, at: Position, seen: Seen) -> dict[str, Any]:
        return self._state(at, self.spent - 1, seen.plain())  # the current epoch is entered again

    def _state(self, at: Position, spent: int, pending: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "version": VERSION,
            "run": self._identity(),
            "position": asdict(at),
            "spent": spent,
            "steps": self._steps.plain(),
            "pending": pending,
            "course": self._course.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume: the next iteration begins where the state was saved.

        Raises:
            ConfigError: if the state was saved by a run with other settings; the message names the first that differs.
            OvermixError: if it is no state, or was written by another version of the format.
        """
        check_state(state, self._identity())
        try:
            pending = None if state["pending"] is None else Seen.from_plain(state["pending"])
            self._course.load_state_dict(state["course"])
        except (LookupError, TypeError, ValueError) as error:
            raise OvermixError(f"state: it is damaged ({type(error).__name__}: {error})") from None
        self._out.go_to(position_of(state, self.epochs), state["spent"], pending)
        self._steps.load(state["steps"])
        self._begun = False

    def _identity(self) -> dict[str, Any]:
        """Return the settings that a resumed run must share; the rank may differ, since ranks may share one file."""
        return {
            "epochs": self.epochs,
            **settings_by_name("mix", self.recipe),
            **settings_by_name("switch", self.switch),
            "seed": self.streams.replica_seed,
        }
