"""Optimizer steps: counted, and each one announced before it is done."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from torch.optim import Optimizer

BeforeStep = Callable[[int], None]
"""Told how many steps of the run are done, before the next one."""


class StepCounter:
    """Counts the steps of a run's optimizers, by a hook that each of them calls before it steps.

    Of several optimizers, the one that has stepped most is counted. Where none is registered, or none calls its hooks,
    a batch counts as a step. Optimizers that wrap another (Fabric's, accelerate's) are looked through.

    The hooks are there from the first batch or step of an epoch to the end of the run. They do not keep the run alive,
    and are in no copy of the optimizer. Of two runs over one optimizer, the one counts that handed out the last epoch.

    Args:
        optimizers: those of the training.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1)
        >>> counter = StepCounter([optimizer])
        >>> counter.attach()
        >>> for _ in range(3):
        ...     optimizer.step()
        >>> counter.done
        3
        >>> counter.detach()
    """

    def __init__(self, optimizers: Sequence[object]) -> None:
        innermost = {id(optimizer): optimizer for optimizer in map(_innermost, optimizers)}
        self._optimizers = [part for part in innermost.values() if isinstance(part, Optimizer)]
        self._hooks: list[Any] = []
        self._counts = [0] * max(1, len(self._optimizers))
        self._batches, self._mark = 0, 0
        self._by_batch = not self._optimizers
        self._inside = [0] * len(self._counts)
        self.listener: BeforeStep | None = None

    @property
    def done(self) -> int:
        """Steps of the run so far."""
        return max(self._counts)

    @property
    def in_epoch(self) -> int:
        """Steps of the epoch so far."""
        return self.done - self._mark

    @property
    def attached(self) -> bool:
        """Whether the optimizers call this counter."""
        return bool(self._hooks)

    def start(self, done: int) -> None:
        """Go on counting from a number of steps: at the beginning of an epoch, and after going back."""
        self.load([done, done, 0])

    def plain(self) -> list[int]:
        """Return the steps so far, those at the epoch's beginning, and the epoch's batches so far."""
        return [self.done, self._mark, self._batches]

    def load(self, saved: Sequence[int]) -> None:
        """Undo :meth:`plain`."""
        done, self._mark, self._batches = saved
        self._counts = [done] * len(self._counts)
        self._inside = [0] * len(self._counts)

    def attach(self) -> None:
        """Let the optimizers call this counter, and no other run's."""
        for number, optimizer in enumerate(self._optimizers):
            owner = _OWNERS.get(optimizer)
            other = owner() if owner is not None else None
            if other is self and self.attached:
                continue
            if other is not None:
                other.detach()
            _OWNERS[optimizer] = weakref.ref(self)
            before = optimizer.register_step_pre_hook(_Hook(weakref.ref(self), number, StepCounter._before_step))
            after = optimizer.register_step_post_hook(_Hook(weakref.ref(self), number, StepCounter._after_step))
            self._hooks += [weakref.finalize(self, handle.remove) for handle in (before, after)]

    def detach(self) -> None:
        """Let go of the optimizers."""
        for remove in self._hooks:
            remove()
        self._hooks = []
        for optimizer in self._optimizers:
            owner = _OWNERS.get(optimizer)
            if owner is not None and owner() is self:
                del _OWNERS[optimizer]

    def before_batch(self) -> None:
        """Announce the next step before the batch, so that what is logged beside the batch is the step's."""
        if self._optimizers and not self.attached:
            self.attach()
        self._inside = [0] * len(self._counts)  # a step that failed has not come out
        if self.listener is not None:
            self.listener(self.done)

    def batch(self) -> None:
        """Take note of a batch."""
        self._batches += 1
        if self._by_batch:
            self._counts = [self.done + 1] * len(self._counts)

    def close_epoch(self) -> None:
        """If no optimizer has stepped in an epoch that had batches, a batch counts as a step, then and later."""
        if self._batches and not self.in_epoch:
            self._by_batch = True
            self._counts = [self.done + self._batches] * len(self._counts)

    def _before_step(self, number: int) -> None:
        # torch hooks every class that has a step: one that calls its parent's announces itself again inside.
        self._inside[number] += 1
        if self._inside[number] > 1:
            return
        if self._by_batch:
            self._by_batch = False  # the hook is called after all
            self._counts = [self._mark] * len(self._counts)
        # One that steps more rarely, a generator beside its critic, is where the other one is.
        at = max(self._counts[number], self.done - 1)
        if self.listener is not None:
            self.listener(at)
        self._counts[number] += 1

    def _after_step(self, number: int) -> None:
        self._inside[number] = max(0, self._inside[number] - 1)


class _Hook:
    """What an optimizer holds of a counter; a copy of it does nothing."""

    def __init__(
        self,
        counter: Callable[[], StepCounter | None] = lambda: None,
        number: int = 0,
        call: Callable[[StepCounter, int], None] = lambda counter, number: None,
    ) -> None:
        self._counter, self._number, self._call = counter, number, call

    def __call__(self, *_: Any) -> None:
        counter = self._counter()
        if counter is not None:
            self._call(counter, self._number)

    def __reduce__(self) -> tuple[type[_Hook], tuple[()]]:
        return _Hook, ()


_OWNERS: weakref.WeakKeyDictionary[Optimizer, weakref.ref[StepCounter]] = weakref.WeakKeyDictionary()
"""Which run counts an optimizer's steps."""


def _innermost(optimizer: Any) -> Any:
    """Return the optimizer that another one wraps, however often."""
    inner = getattr(optimizer, "optimizer", None)
    return _innermost(inner) if inner is not None and hasattr(inner, "param_groups") else optimizer
