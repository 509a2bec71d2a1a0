"""A training of Lightning, for a rescue."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overmix.errors import CheckpointError, ConfigError, MissingExtraError
from overmix.switch.rescue.checkpoints import read_checkpoint
from overmix.switch.rescue.looks import Scored
from overmix.switch.rescue.training import annealed

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.callbacks import Checkpoint
except ImportError:
    raise MissingExtraError("lightning", "lightning") from None

__all__ = ["LightningTraining"]


@dataclass(frozen=True)
class LightningTraining:
    """A ``Trainer`` and what it fits, as before the first epoch, but that the module mixes nothing.

    Args:
        trainer: with the ``max_epochs`` of the training. Its loggers and checkpoints are left out, since they could
            write over files that are there; in the tails of probes all callbacks are.
        module: what is trained.
        data: a training loader, as for ``Trainer.fit``.
        score: returns what the module says of held-out samples: ``(logits, labels)``, shapes (N, C) and (N,), or a
            score of each, shape (N,), lower is better. Always the same samples in the same order.

    Raises:
        ConfigError: if the trainer counts steps in the place of epochs.

    Source: the hooks are those of Lightning 2.6.
    """

    trainer: Trainer
    module: LightningModule
    data: Any
    score: Callable[[], Scored]

    def __post_init__(self) -> None:
        trainer = self.trainer
        if trainer.max_steps != -1 or trainer.max_epochs is None or trainer.max_epochs < 1:
            counts = f"max_epochs={trainer.max_epochs}, max_steps={trainer.max_steps}"
            raise ConfigError("Trainer", counts, "give max_epochs, and no max_steps: a run has a length in epochs")

    @property
    def epochs(self) -> int:
        """Length of the training."""
        assert self.trainer.max_epochs is not None
        return self.trainer.max_epochs

    @property
    def steps(self) -> int:
        """Optimizer steps in an epoch."""
        return -(-len(self.data) // int(self.trainer.accumulate_grad_batches))

    def go_on(self, checkpoint: Path, done: int, epochs: int, *, as_tail: bool) -> None:
        """Load a checkpoint and train on from it; see :class:`overmix.switch.rescue.Training`."""
        saved = read_checkpoint(checkpoint)
        if not isinstance(saved, dict) or "state_dict" not in saved or "loops" not in saved:
            raise CheckpointError(f"{checkpoint}: it is no checkpoint of Lightning's Trainer with all of its state")
        if not epochs:
            self.module.load_state_dict(saved["state_dict"])
            return
        stack = _PlainEpochs(done, epochs, as_tail=as_tail)
        trainer: Any = self.trainer
        kept = [] if as_tail else [part for part in trainer.callbacks if not isinstance(part, Checkpoint)]
        trainer.callbacks, trainer.loggers = [*kept, stack], []
        trainer.fit_loop.min_epochs = None  # a tail ends where it ends
        if as_tail:
            trainer.limit_val_batches = 0  # nobody listens
        with stack.tail, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*callbacks used to create the checkpoint")
            trainer.fit(self.module, self.data, ckpt_path=checkpoint, weights_only=True)

    def save(self, path: Path) -> None:
        """Write Lightning's own checkpoint."""
        self.trainer.save_checkpoint(path)


class _PlainEpochs(Callback):
    """Ends a fit after so many epochs, and makes a tail of them if they are one."""

    def __init__(self, done: int, epochs: int, *, as_tail: bool) -> None:
        self._done, self._epochs, self._as_tail = done, epochs, as_tail
        self._begin: Callable[[], None] = lambda: None
        self.tail = ExitStack()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take hold of what was loaded."""
        progress: Any = trainer.fit_loop.epoch_progress.current
        resumed = progress.processed
        if resumed != self._done:
            told = f"it holds {resumed} epochs, its name says {self._done}: {{index}} counts epochs from 0"
            raise CheckpointError(f"{trainer.ckpt_path}: {told}")
        if not self._as_tail:
            return
        state: dict[str, Any] = {"model": pl_module}
        state |= {f"optimizer{at}": optimizer for at, optimizer in enumerate(trainer.optimizers)}
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        state |= {} if scaler is None else {"scaler": scaler}
        steps = -(-int(trainer.num_training_batches) // int(trainer.accumulate_grad_batches))
        trainer.strategy.lr_scheduler_configs = []  # the tail has its own rates
        self._begin = self.tail.enter_context(annealed(state, self._epochs * steps))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set up the first step."""
        self._begin()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the fit in time; the last epoch of the training ends by itself."""
        if trainer.current_epoch + 1 >= self._done + self._epochs:
            trainer.should_stop = True
