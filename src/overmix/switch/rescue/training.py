"""What a rescue asks of a training, whoever owns its loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch

from overmix.errors import ConfigError
from overmix.switch.generators import generator_states, set_generator_states
from overmix.switch.probing import Tail
from overmix.switch.registered import Registered
from overmix.switch.rescue.looks import Scored
from overmix.switch.snapshot import take
from overmix.switch.steps import StepCounter


class Rescuable(Protocol):
    """A training as it was before its first epoch, but that nothing in it is mixed."""

    @property
    def epochs(self) -> int:
        """Length of the training."""
        ...

    @property
    def steps(self) -> int:
        """Optimizer steps in an epoch."""
        ...

    def go_on(self, checkpoint: Path, done: int, epochs: int, *, as_tail: bool) -> None:
        """Load a checkpoint and train on from it, plainly.

        Args:
            checkpoint: file or folder.
            done: epochs that were done when it was saved.
            epochs: to train; 0: it is only loaded.
            as_tail: whether the learning rate falls linearly to 0 along them, and running statistics begin anew, as in
                a probe of AutoSwitch; if not, all is as the training would have gone on.

        Raises:
            CheckpointError: if it cannot be read, or does not fit.
        """
        ...

    def score(self) -> Scored:
        """Return what the model says of held-out samples."""
        ...

    def save(self, path: Path) -> None:
        """Write the training as it stands, in the form of its checkpoints, to a path where nothing is."""
        ...


Factory: TypeAlias = Callable[[], Rescuable]
"""Returns a training anew at each call. None learns from another one: there is nothing to be set back."""


@contextmanager
def annealed(state: Mapping[str, Any], steps: int) -> Iterator[Callable[[], None]]:
    """Let what is trained inside be the tail of a probe: the very one of AutoSwitch, which nothing sets back.

    Yields:
        What is called at the beginning of each epoch.

    Raises:
        ConfigError: at the end, if there was another number of optimizer steps than was told.
    """
    registered = Registered(state)
    registered.check_rates()
    counter, snapshot = StepCounter(registered.optimizers), take(registered)
    tail = Tail(registered, snapshot, steps)
    tail.begin()
    counter.attach()
    counter.listener = tail.step
    try:
        yield lambda: tail.step(counter.done)
    finally:
        counter.detach()
        tail.end()
    stepped = counter.done
    if stepped != steps and not (registered.scales_gradients and steps // 2 < stepped < steps):
        raise ConfigError(
            "steps", steps, f"the tail had {stepped} optimizer steps: give those of an epoch, len(loader)"
        )


@contextmanager
def seeded() -> Iterator[None]:
    """Let everything inside begin with the same random numbers, and set the process's own back."""
    before = generator_states()
    try:
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        yield
    finally:
        set_generator_states(before)
