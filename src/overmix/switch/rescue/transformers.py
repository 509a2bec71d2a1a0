"""A training of transformers, for a rescue."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overmix.errors import CheckpointError, ConfigError, MissingExtraError
from overmix.switch.rescue.checkpoints import refused
from overmix.switch.rescue.looks import Scored
from overmix.switch.rescue.training import annealed

try:
    from transformers import Trainer, TrainerCallback
    from transformers.trainer_callback import DefaultFlowCallback
except ImportError:
    raise MissingExtraError("transformers", "transformers") from None

__all__ = ["TransformersTraining"]


@dataclass(frozen=True)
class TransformersTraining:
    """A ``Trainer`` as before the first epoch, but that it mixes nothing.

    Args:
        trainer: with the ``num_train_epochs`` of the training, and the held-out samples as ``eval_dataset``, which have
            classes. It saves, evaluates and logs nothing, since that could write over files that are there; in the
            tails of probes its callbacks are left out.

    Raises:
        ConfigError: if it counts steps in the place of epochs, or has no held-out samples.

    Source: the hooks are those of transformers 5.24.
    """

    trainer: Trainer

    def __post_init__(self) -> None:
        args = self.trainer.args
        if args.max_steps > 0 or args.num_train_epochs != int(args.num_train_epochs):
            counts = f"num_train_epochs={args.num_train_epochs}, max_steps={args.max_steps}"
            raise ConfigError("args", counts, "give whole epochs, and no max_steps: a run has a length in epochs")
        if self.trainer.eval_dataset is None or isinstance(self.trainer.eval_dataset, dict):
            raise ConfigError("eval_dataset", None, "give one data set of held-out samples: they decide")

    @property
    def epochs(self) -> int:
        """Length of the training."""
        return int(self.trainer.args.num_train_epochs)

    @property
    def steps(self) -> int:
        """Optimizer steps in an epoch."""
        batches = len(self.trainer.get_train_dataloader())
        return max(1, -(-batches // int(self.trainer.args.gradient_accumulation_steps)))

    def go_on(self, checkpoint: Path, done: int, epochs: int, *, as_tail: bool) -> None:
        """Load a checkpoint and train on from it; see :class:`overmix.switch.rescue.Training`."""
        trainer: Any = self.trainer
        if not Path(checkpoint, "trainer_state.json").is_file():
            raise CheckpointError(f"{checkpoint}: it is no checkpoint's folder of transformers' Trainer")
        try:
            if not epochs:
                trainer._load_from_checkpoint(str(checkpoint))
                return
            _silence(trainer)
            plain = _PlainEpochs(done + epochs, epochs, self.steps, as_tail=as_tail)
            if as_tail:
                for callback in list(trainer.callback_handler.callbacks):
                    if not isinstance(callback, DefaultFlowCallback):
                        trainer.remove_callback(callback)
            trainer.add_callback(plain)
            with plain.tail, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of arguments that are not those of the checkpoint
                trainer.train(resume_from_checkpoint=str(checkpoint))
        except pickle.UnpicklingError as error:
            raise refused(checkpoint, error) from None

    def score(self) -> Scored:
        """Return logits and labels of the held-out samples."""
        said = self.trainer.predict(self.trainer.eval_dataset)  # type: ignore[arg-type]
        logits = said.predictions[0] if isinstance(said.predictions, tuple) else said.predictions
        return logits, said.label_ids  # type: ignore[return-value]

    def save(self, path: Path) -> None:
        """Write the model's folder, and the tokenizer or image processor if there is one."""
        self.trainer.save_model(str(path))


def _silence(trainer: Any) -> None:
    """Let a trainer write nothing, and delete nothing: old checkpoints are the user's."""
    none = type(trainer.args.eval_strategy)("no")
    trainer.args.save_strategy = type(trainer.args.save_strategy)("no")
    trainer.args.eval_strategy, trainer.args.logging_strategy = none, none
    trainer.args.save_total_limit, trainer.args.load_best_model_at_end = None, False
    trainer.args.push_to_hub = False


class _PlainEpochs(TrainerCallback):
    """Ends a training after so many epochs, and makes a tail of them if they are one."""

    def __init__(self, end: int, epochs: int, steps: int, *, as_tail: bool) -> None:
        self._end, self._epochs, self._steps, self._as_tail = end, epochs, steps, as_tail
        self._begin: Callable[[], None] = lambda: None
        self.tail = ExitStack()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take hold of what was loaded."""
        if self._as_tail:
            parts = {"model": kwargs["model"], "optimizer": kwargs["optimizer"]}
            self._begin = self.tail.enter_context(annealed(parts, self._epochs * self._steps))

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set up the first step."""
        self._begin()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the training in time."""
        if state.global_step >= self._end * self._steps:
            control.should_training_stop = True
