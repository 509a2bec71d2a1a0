"""Epochs that are due between two of Trainer's own: of a probe, or trained again after going back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from torch.utils.data import DataLoader

from overmix.switch import Epoch


class Nested:
    """Trains an epoch with a Trainer's ``training_step``, clipping, optimizer and scheduler, unseen by its counters.

    Args:
        trainer: a ``MixTrainer`` whose training has begun.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._side: tuple[Any, Iterator[Any]] | None = None
        """Of segments: a loader of their own, and its batches, which go on from probe to probe where it has no end."""

    def train(self, epoch: Epoch) -> None:
        """Train the epoch's batches, unless they are, and look at the held-out samples if they are to be scored."""
        with _apart(self._trainer):
            if not epoch.trained:
                self._train_batches(epoch)
            if epoch.scored and self._trainer.eval_dataset is not None:
                self._trainer._look()

    def _train_batches(self, epoch: Epoch) -> None:
        trainer = self._trainer
        accumulated = int(trainer.args.gradient_accumulation_steps)
        batches, left = self._batches(epoch)
        while left:
            group, items = trainer.get_batch_samples(batches, min(accumulated, left), trainer.args.device)
            left -= len(group)
            self._accumulate(group, items)
            if trainer.args.max_grad_norm > 0:
                trainer._clip_grad_norm(trainer.model_wrapped)
            trainer.optimizer.step()
            if epoch.kind != "probe" and not trainer.accelerator.optimizer_step_was_skipped:
                trainer.lr_scheduler.step()
            trainer.model_wrapped.zero_grad()

    def _accumulate(self, group: list[Any], items: Any) -> None:
        """Add up the gradients of a step's batches; processes exchange them with the last one."""
        trainer = self._trainer
        trainer.current_gradient_accumulation_steps = len(group)
        for inputs in group:
            last = inputs is group[-1]
            trainer.accelerator.gradient_state._set_sync_gradients(last)
            with nullcontext() if last else trainer.accelerator.no_sync(model=trainer.model_wrapped):
                trainer.training_step(trainer.model_wrapped, inputs, items)

    def _batches(self, epoch: Epoch) -> tuple[Iterator[Any], int]:
        """Return the batches of a nested epoch, and how many of them it has."""
        trainer = self._trainer
        if trainer.segment is None:
            _set_epoch(trainer._loader, epoch.index)
            return iter(trainer._loader), len(trainer._loader)
        if self._side is None or _has_length(self._side[0]):
            loader = trainer.get_train_dataloader() if self._side is None else self._side[0]
            _set_epoch(loader, epoch.index)
            self._side = loader, _again(loader)
        return self._side[1], trainer.segment * int(trainer.args.gradient_accumulation_steps)


@contextmanager
def _apart(trainer: Any) -> Iterator[None]:
    """Put back what Trainer's loop has set for the batch that it is about to train."""
    gradients = trainer.accelerator.gradient_state
    synchronises, group = gradients.sync_gradients, trainer.current_gradient_accumulation_steps
    try:
        yield
    finally:
        gradients._set_sync_gradients(synchronises)
        trainer.current_gradient_accumulation_steps = group


def _again(loader: Any) -> Iterator[Any]:
    """Yield a loader's batches for ever, past accelerate's own iterator, which the training's loader uses."""
    while True:
        yield from DataLoader.__iter__(loader)


def _has_length(loader: Any) -> bool:
    return hasattr(loader.dataset, "__len__")


def _set_epoch(loader: Any, epoch: int) -> None:
    parts: tuple[Any, Any] = (loader, getattr(getattr(loader, "batch_sampler", None), "batch_sampler", None))
    for part in parts:
        if hasattr(part, "set_epoch"):
            part.set_epoch(epoch)
