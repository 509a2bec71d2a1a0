"""A training in plain PyTorch, for a rescue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from overmix.errors import CheckpointError, ConfigError
from overmix.switch.registered import Registered
from overmix.switch.rescue.checkpoints import read_checkpoint
from overmix.switch.rescue.looks import Scored
from overmix.switch.rescue.training import annealed
from overmix.switch.settings import whole_number
from overmix.switch.snapshot import check_states


@dataclass(frozen=True)
class PlainTraining:
    """A training as it was before its first epoch, but that nothing in it is mixed.

    Args:
        state: all that the training changes, by the names that checkpoints have for it: model, optimizer, scheduler.
        train: ``train(epoch)`` trains the epoch of that zero-based index, without mixing, schedulers included.
        score: returns what the model says of held-out samples: ``(logits, labels)``, shapes (N, C) and (N,), or a score
            of each, shape (N,), lower is better. Always the same samples in the same order.
        epochs: length of the training.
        steps: optimizer steps in an epoch: ``len(loader)``, or what accumulation leaves of it.
        load: ``load(saved, epochs)`` sets everything in ``state`` to what a checkpoint holds, after so many epochs; by
            default ``state[name].load_state_dict(saved[name])`` for each name.

    Raises:
        ConfigError: if a setting cannot work.

    Example:
        >>> from torch import nn, optim
        >>> model = nn.Linear(4, 3)
        >>> state = {"model": model, "optimizer": optim.SGD(model.parameters(), lr=0.1)}
        >>> PlainTraining(state, train=print, score=lambda: torch.rand(9), epochs=100, steps=0)
        Traceback (most recent call last):
        overmix.errors.ConfigError: steps = 0: use an integer >= 1
    """

    state: Mapping[str, Any]
    train: Callable[[int], object]
    score: Callable[[], Scored]
    epochs: int
    steps: int
    load: Callable[[Any, int], object] | None = None

    def __post_init__(self) -> None:
        registered = Registered(self.state)
        registered.check_complete()
        registered.check_rates()
        check_states(registered)
        for name in ("train", "score"):
            if not callable(getattr(self, name)):
                raise ConfigError(name, getattr(self, name), "give a function")
        object.__setattr__(self, "epochs", whole_number("epochs", self.epochs))
        object.__setattr__(self, "steps", whole_number("steps", self.steps))

    def go_on(self, checkpoint: Path, done: int, epochs: int, *, as_tail: bool) -> None:
        """Load a checkpoint and train on from it; see :class:`Rescuable`."""
        self._load(checkpoint, done)
        if not as_tail:
            for index in range(done, done + epochs):
                self.train(index)
            return
        with annealed(self.state, epochs * self.steps) as begin:
            for index in range(done, done + epochs):
                begin()
                self.train(index)

    def _load(self, checkpoint: Path, done: int) -> None:
        saved = read_checkpoint(checkpoint)
        if self.load is not None:
            self.load(saved, done)
            return
        held = sorted(map(str, saved)) if isinstance(saved, Mapping) else type(saved).__name__
        if not isinstance(saved, Mapping) or (missing := [name for name in self.state if name not in saved]):
            names = list(self.state) if not isinstance(saved, Mapping) else missing
            raise CheckpointError(
                f"{checkpoint}: {', '.join(names)} missing, it holds {_shortly(held)}: name the parts of state as the "
                "checkpoint does, or say by load(saved, epochs) how it is read"
            )
        for name, part in self.state.items():
            _set(checkpoint, name, part, saved[name])

    def save(self, path: Path) -> None:
        """Write ``{name: state_dict}``, and the epochs done, as ``epoch``."""
        states = {name: _state_of(part) for name, part in self.state.items()}
        torch.save({"epoch": self.epochs, **states}, path)


def _set(checkpoint: Path, name: str, part: Any, saved: Any) -> None:
    try:
        if isinstance(part, torch.Generator):
            part.set_state(saved)
        else:
            part.load_state_dict(saved)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        told = " ".join(str(error).split())[:160]
        what = "the model" if isinstance(part, nn.Module) else type(part).__name__
        remedy = f"build it as it was, or say by load(saved, epochs) how it is read; {what} says: {told}"
        raise CheckpointError(f"{checkpoint}: {name} does not fit: {remedy}") from None


def _state_of(part: Any) -> Any:
    return part.get_state() if isinstance(part, torch.Generator) else part.state_dict()


def _shortly(held: list[str] | str) -> str:
    if isinstance(held, str):
        return f"a {held}"
    return ", ".join(held[:6]) + (", ..." if len(held) > 6 else "")
