"""HandingOut: one epoch after another, and what is done between two of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from overmix.errors import ConfigError
from overmix.switch.course import Course
from overmix.switch.epoch import Epoch, keep_out_of_graphs
from overmix.switch.position import Position, Seen
from overmix.switch.steps import StepCounter

MakeEpoch = Callable[[Position, bool, Seen | None], Epoch]
"""Returns the epoch at a place; whether it is nested in a framework's boundary; what was seen of it before a resume."""


class HandingOut:
    """Hands out the epochs of a run.

    Args:
        course: says what is due between epochs.
        steps: counts the optimizer's steps.
        epochs: length of the run.
        make: returns an epoch.
        mixes: whether the run was given something to mix with, so that a first epoch without a batch to mix is a slip.

    Attributes:
        next: where the run goes on.
        spent: epochs handed out.
        current: the epoch that is trained now.
        pending: what was seen in an epoch that is over and not yet written down, or, of a run that resumes inside an
            epoch, in this one.
    """

    def __init__(self, course: Course, steps: StepCounter, epochs: int, make: MakeEpoch, *, mixes: bool) -> None:
        self._course, self._steps, self._epochs, self._make, self._mixes = course, steps, epochs, make, mixes
        self.next, self.spent = Position(), 0
        self.current: Epoch | None = None
        self.pending: Seen | None = None

    @property
    def unsettled(self) -> Seen | None:
        """What was seen in the last epoch, as long as it is not written down."""
        return self.pending if self.current is None else self.current.seen

    @property
    def at_the_end(self) -> bool:
        """Whether the last epoch was handed out and is not closed."""
        return self.current is not None and self.next.tail is None and self.next.epoch >= self._epochs

    @property
    def where(self) -> str:
        """In which epoch it is, and what was mixed in it so far."""
        if self.current is None:
            return f"{self.next.epoch} of {self._epochs} epochs done"
        seen = self.current.seen
        probe = f", in a probe after {self.next.epoch}" if seen.tail is not None else ""
        state = "on" if seen.mixing else "off"
        mixed = (
            f"{seen.mixed} of {seen.step} batches mixed"
            if seen.step
            else "no batch yet"
            if seen.gate is None
            else state
        )
        return f"epoch {seen.index} of 0 to {self._epochs - 1}{probe}: {mixed}"

    def check_index(self, index: int) -> None:
        """Refuse a loop that is about to train another epoch than the run.

        Raises:
            ConfigError: if its count is not the run's.
        """
        due = self.next.reached
        allowed = (due, due + 1) if self.next.trained else (due,)
        nested = self.current is not None and self.current.nested
        if isinstance(index, bool) or index not in allowed or nested:
            raise ConfigError(
                "index",
                index,
                f"the loop counts {index} epochs, the run {due} of {self._epochs}: call before({due}, train), once for "
                "each epoch and outside of train; after a resume, load the state of both from one place",
            )

    def step(self, upto: int | None = None) -> Epoch | None:
        """Close the last epoch, do what is due, and return the next one; None at the end.

        Args:
            upto: the epoch that a framework is about to train: one of a probe, or before it, is nested in its boundary.
        """
        keep_out_of_graphs()
        begun = None
        if self.next.entered:  # a run that resumes inside an epoch had settled before it, and goes on with it
            begun, self.pending = self.pending, None
        else:
            self._close()
            self._settle()
        at = self.next
        if at.tail is None and at.epoch >= self._epochs:
            self._steps.detach()
            return None
        if not at.entered:
            self._steps.start(self._steps.done)
        self._steps.attach()
        self._course.enter(at)
        self.current = self._make(at, upto is not None and (at.tail is not None or at.epoch < upto), begun)
        # Moved on before the body runs: a state saved at the end of the body counts this epoch as done.
        self.next, self.spent = at.after(), self.spent + 1
        return self.current

    def _close(self) -> None:
        """Write down what the last epoch observed, also if its body was left by ``break``."""
        seen, self.current, self.pending = self.unsettled, None, None
        if seen is not None:
            seen.over = True
            self._notice_nothing_mixed(seen)
            self._steps.close_epoch()
            self._course.close(seen)

    def _notice_nothing_mixed(self, seen: Seen) -> None:
        steps = self._steps.in_epoch
        if self._mixes and seen.index == 0 and seen.tail is None and steps and not seen.step and seen.gate is None:
            warnings.warn(
                f"epoch 0 had {steps} optimizer steps and mixed no batch: call x, target = epoch.mix(x, y), or leave "
                "out what the run mixes with",
                UserWarning,
                stacklevel=2,
            )

    def _settle(self) -> None:
        try:
            self.next = self._course.settle(self.next)
        except BaseException:
            self.next = self._course.leave(self.next)
            raise

    def leave(self) -> None:
        """Let go of the optimizers, and of a probe that the loop is left in; any other epoch counts as trained."""
        self._steps.detach()
        current = self.current
        if current is None:
            return
        if current.kind == "probe":
            current.seen.over, self.current = True, None
            self.next = self._course.leave(self.next)
        elif current.nested:
            self.pending, self.current = current.seen, None

    def go_to(self, at: Position, spent: int, pending: Seen | None) -> None:
        """Go on at another place: the epoch that is trained now is no longer the run's."""
        if self.current is not None:
            self.current.seen.over = True
        self.next, self.spent, self.current, self.pending = at, spent, None, pending
