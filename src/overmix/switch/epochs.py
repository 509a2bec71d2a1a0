"""Epochs: a user's own training loop, driven by asking and telling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from overmix.diagnose import scores
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.mix import MixedTarget, Recipe, Streams, check_batch, sample_shape
from overmix.switch.policy import Observation
from overmix.switch.schedule import Progress, Schedule, always, mixes

Kind = Literal["train", "probe", "final"]
"""What an epoch is for. Savers and loggers look at it: only ``"train"`` and ``"final"`` belong to the user's run."""

_STATE_VERSION = 1


class Epoch:
    """One pass over the training data, handed out by :class:`Epochs`.

    Attributes:
        index: zero-based epoch.
        kind: ``"train"``, ``"probe"`` or ``"final"``.
        step: batches mixed so far in this epoch; after resuming inside an epoch, the number of batches to skip.
    """

    def __init__(self, run: Epochs, index: int, step: int = 0, mixed: int = 0) -> None:
        self.index = index
        self.kind: Kind = "train"
        self.step = step
        self._run = run
        self._mixed = mixed
        self._sums: scores.ScoreSums | None = None

    def mix(self, x: Any, y: Tensor) -> tuple[Any, MixedTarget]:
        """Mix the next batch, or hand it through if mixing is off.

        Off or on, the types are the same: ``x`` in a floating dtype and a :class:`MixedTarget`.

        Args:
            x: the batch, a tensor of shape (B, ...) or a tuple, list or dictionary of such tensors.
            y: the labels, shape (B, ...).

        Raises:
            DataError: if the batch cannot be mixed.
        """
        check_batch(x, y)
        run = self._run
        progress = Progress(self.index, run.epochs, self.step)
        self.step += 1
        if not mixes(run.switch, progress, run.streams):
            return run.recipe.unmixed(x, y)
        self._mixed += 1
        draws = run.recipe.draw(run.streams, y.shape[0], epoch=progress.epoch, step=progress.step).to(y.device)
        return run.recipe.mix(x, y, run.recipe.plan(draws, y, sample_shape=sample_shape(x)))

    @property
    def mixing(self) -> float:
        """Share of this epoch's batches that were mixed so far (0 before the first)."""
        return self._mixed / self.step if self.step else 0.0

    def observe(self, logits: Tensor, labels: Tensor) -> None:
        """Tell what the model says about held-out samples; call it once, or once per batch of them.

        Args:
            logits: shape (N, C); detached, so that nothing is kept alive.
            labels: classes, shape (N,).

        Raises:
            DataError: if the shapes do not fit, there are no samples, or the labels are no class indices.
        """
        if logits.dim() != 2 or labels.shape != logits.shape[:1]:
            raise DataError(
                f"observe: logits of shape {tuple(logits.shape)} and labels of shape {tuple(labels.shape)}: "
                "give (N, C) and (N,)"
            )
        if not labels.numel():
            raise DataError("observe: no samples: give at least one")
        if labels.is_floating_point() or labels.dtype == torch.bool:
            raise DataError(f"observe: labels have dtype {labels.dtype}: give class indices, integers")
        chunk, _ = scores.sums(logits.detach(), labels.to(logits.device).long())
        self._sums = chunk if self._sums is None else scores.add(self._sums, chunk)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for resuming inside this epoch, after the batches mixed so far.

        What was observed in this epoch is not in it: the resumed epoch observes anew.
        """
        return self._run._state((self.index, self.step, self._mixed), self._run._past)

    def _observation(self) -> Observation | None:
        if self._sums is None:
            return None
        mean = scores.finish(self._sums)
        error, cross_entropy, brier, ece = (float(value) for value in mean)
        return Observation(self.index, self.mixing, self._sums.n, error, cross_entropy, brier, ece)


class Epochs:
    """Drives a training loop: decides for each batch whether it is mixed, and mixes it.

    The loop stays the user's own. Each batch's randomness has an address ``(seed, rank, epoch, step)``, so that a run
    with mixing and one without see the same numbers, ranks of a distributed run see different ones, and a resumed run
    goes on as if it had never stopped. The decision travels with the batch: there is no flag that a loader worker could
    hold a stale copy of.

    Args:
        epochs: length of the training, >= 1.
        mix: the recipe, such as ``Mixup(alpha=1.0)``.
        switch: when to mix: ``always()``, ``never()``, ``off_at(128)``, ``off_at(0.5)``.
        seed: names the run; runs with one seed are twins.
        rank: the process within a distributed run; by default that of ``torch.distributed``, if it is in use.

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
        mix: Recipe,
        switch: Schedule | None = None,
        seed: int = 0,
        rank: int | None = None,
    ) -> None:
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
            raise ConfigError("epochs", epochs, "use an integer >= 1")
        if not isinstance(mix, Recipe):
            raise ConfigError("mix", mix, "give a recipe, such as overmix.Mixup(alpha=1.0)")
        schedule = always() if switch is None else switch
        if not isinstance(schedule, Schedule) or isinstance(schedule, type):
            raise ConfigError("switch", switch, "give a schedule, such as overmix.off_at(0.5)")
        self.epochs = epochs
        self.recipe = mix
        self.switch: Schedule = schedule
        self.streams = _streams(seed, _rank() if rank is None else rank)
        self._asks_for_rank = rank is None
        self._past: list[Observation] = []
        self._current: Epoch | None = None
        self._next = (0, 0, 0)

    def __len__(self) -> int:
        """Number of epochs of the whole training."""
        return self.epochs

    def __iter__(self) -> Iterator[Epoch]:
        """Yield the epochs that are still to be trained; one whose body ends early counts as trained."""
        if self._asks_for_rank:
            # Again, since the process group may be younger than this object.
            self.streams = self.streams.for_rank(_rank())
        while self._next[0] < self.epochs:
            self._close()
            self._current = Epoch(self, *self._next)
            # Moved on before the body runs: a state saved at the end of the body counts this epoch as done.
            self._next = (self._next[0] + 1, 0, 0)
            yield self._current
        self._close()

    def _close(self) -> None:
        """Write down what the last epoch observed, also if its body was left by ``break``."""
        self._past, self._current = self.history, None

    @property
    def history(self) -> list[Observation]:
        """What was observed so far, one entry per epoch with held-out samples, the current epoch included."""
        seen = self._current._observation() if self._current is not None else None
        return [*self._past] if seen is None else [*self._past, seen]

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to resume after the current epoch: plain numbers, strings and lists.

        Save it at the end of the loop's body. To save inside an epoch use :meth:`Epoch.state_dict`.
        """
        return self._state(self._next, self.history)

    def _state(self, at: tuple[int, int, int], seen: Sequence[Observation]) -> dict[str, Any]:
        epoch, step, mixed = at
        return {
            "version": _STATE_VERSION,
            "run": self._identity(),
            "epoch": epoch,
            "step": step,
            "mixed": mixed,
            "history": [asdict(observation) for observation in seen],
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
        self._next, self._current = (int(state["epoch"]), int(state["step"]), int(state["mixed"])), None
        self._past = [Observation(**seen) for seen in state["history"]]

    def _identity(self) -> dict[str, Any]:
        """Return the settings that a resumed run must share; the rank may differ, since all ranks share one file."""
        return {
            "epochs": self.epochs,
            "mix": _named(self.recipe),
            "switch": _named(self.switch),
            "seed": self.streams.replica_seed,
        }


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


def _rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
