"""transformers: a Trainer that mixes, probes and goes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from overmix.errors import ConfigError, MissingExtraError, OvermixError
from overmix.integrations.trainer_inputs import first, logits_of, mixed_inputs, mixed_loss
from overmix.integrations.versions import warn_if_untested
from overmix.mix import Recipe
from overmix.switch import Epoch, Epochs, Outcome, Phases, Policy, Schedule
from overmix.switch.settings import switch_of

try:
    import transformers
    from transformers import Trainer, TrainerCallback
except ImportError:
    raise MissingExtraError("transformers", "transformers") from None

__all__ = ["MixTrainer"]

STATE_FILE = "overmix.pt"
"""Beside Trainer's own files in a checkpoint's folder."""

_PLATEAU = ("reduce_lr_on_plateau", "greedy")


class MixTrainer(Trainer):
    """``x' = lam x_i + (1 - lam) x_j`` in the place of ``Trainer``, until a schedule, or what is observed, says stop.

        trainer = MixTrainer(
            model=model, args=args, train_dataset=train, eval_dataset=held_out,
            mix=overmix.Mixup(alpha=1.0), switch=overmix.AutoSwitch(),
        )
        trainer.train()
        print(trainer.decision)

    Images, spectrograms and waveforms are mixed as they are; text is mixed at the embeddings of its tokens, where a
    position counts that either of the two texts has. Labels are classes, shape (B,). Evaluation is never mixed, and
    what it sees is what a policy decides from.

    A policy's probes, and after going back the epochs that were discarded, are trained inside of Trainer's boundary
    between two epochs, with Trainer's own ``training_step``, clipping, optimizer and scheduler. Trainer's counters,
    logs and checkpoints never go back. Each checkpoint holds the run's state, from which ``resume_from_checkpoint``
    goes on.

    With ``max_steps`` a segment of steps stands for an epoch. Probes and discarded segments then read a loader of their
    own: of a stream they see other samples than the training, which reads on where it was.

    Args:
        *args: as for ``Trainer``.
        mix: the recipe, such as ``overmix.Mixup(alpha=1.0)``, or None: ``trainer.epoch.on`` says whether what you gate
            yourself is on.
        switch: when to mix, as for :class:`overmix.Epochs`.
        mix_seed: names the run; by default ``args.seed``.
        segment: optimizer steps that stand for an epoch where ``args.max_steps`` is set; by default ``args.eval_steps``
            if it evaluates by steps.
        **kwargs: as for ``Trainer``. A ``compute_loss_func`` gets a :class:`overmix.MixedTarget` in the place of the
            labels when it trains.

    Attributes:
        run: the :class:`overmix.Epochs` of the training; None before it.

    Raises:
        ConfigError: when it is made, or when the training begins, if a setting cannot work.

    Source: the hooks are those of transformers 5.24.
    """

    def __init__(
        self,
        *args: Any,
        mix: Recipe | Phases | None = None,
        switch: Schedule | Policy | None = None,
        mix_seed: int | None = None,
        segment: int | None = None,
        **kwargs: Any,
    ) -> None:
        warn_if_untested("transformers", transformers.__version__, tested="5.24")
        super().__init__(*args, **kwargs)
        self.recipe, self.switch = mix, switch
        self.mix_seed = self.args.seed if mix_seed is None else mix_seed
        self.segment = _segment(self.args, segment)
        self.run: Epochs | None = None
        self._epoch: Epoch | None = None
        self._resumed_from: str | None = None
        self._side: tuple[Any, Iterator[Any]] | None = None
        self.current_gradient_accumulation_steps = 1  # Trainer sets it with the first batches
        self._observing = self._looked = self._told = self._closed = False
        # The loss is the mean over a batch: Trainer divides it by the number of accumulated ones.
        self.loss_is_scaled_for_ga = False
        _check(self)
        self.add_callback(_Boundaries(self))

    @property
    def epoch(self) -> Epoch:
        """The epoch that is trained: for ``kind``, ``on`` and all else that it offers.

        Raises:
            ConfigError: outside of a training.
        """
        if self._epoch is None:
            raise ConfigError("epoch", None, "there is none before the first epoch: use it while train() runs")
        return self._epoch

    @property
    def decision(self) -> Outcome | None:
        """What was seen, what was decided, and why; None before the training."""
        return None if self.run is None else self.run.decision

    # What is mixed, and what is observed

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss of a batch: mixed when it trains, Trainer's own otherwise."""
        if not model.training or self._epoch is None or self.recipe is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        inputs = dict(inputs)
        labels = inputs.pop("labels", None)
        mixed, target = mixed_inputs(self._epoch, self.accelerator.unwrap_model(self.model), inputs, labels)
        outputs = model(**mixed)
        if self.compute_loss_func is not None:
            loss = self.compute_loss_func(outputs, target, num_items_in_batch=None)
        else:
            loss = mixed_loss(target, logits_of(outputs), self.args.label_smoothing_factor)
        return (loss, outputs) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[Any, Any, Any]:
        """Evaluate a batch, and tell the run what the model says of it."""
        listens = self._observing and self._epoch is not None and self._epoch.scored
        loss, logits, labels = super().prediction_step(
            model, inputs, prediction_loss_only and not listens, ignore_keys=ignore_keys
        )
        if listens and labels is not None:
            self.epoch.observe(first(logits), first(labels))
        return (loss, None, None) if prediction_loss_only else (loss, logits, labels)

    def _evaluate(self, *args: Any, **kwargs: Any) -> Any:
        self._observing = True
        try:
            metrics = super()._evaluate(*args, **kwargs)
        finally:
            self._observing = False
        self._looked = True
        return metrics

    # Where Trainer begins, saves and ends

    def _prepare_for_training(self, max_steps: int, train_dataloader: Any, resume_from_checkpoint: str | None) -> Any:
        prepared = super()._prepare_for_training(  # type: ignore[no-untyped-call]
            max_steps, train_dataloader, resume_from_checkpoint
        )
        _check_begun(self)
        per_epoch = self._steps_per_epoch()
        self.run = Epochs(
            max_steps // per_epoch,
            self.recipe,
            self.switch,
            self.mix_seed,
            state=_state(self),
            steps_per_epoch=per_epoch,
        )
        self._epoch, self._looked, self._told, self._closed = None, False, False, False
        self._resumed_from, self._side = resume_from_checkpoint, None
        if resume_from_checkpoint is not None:
            self.run.load_state_dict(_saved(Path(resume_from_checkpoint)))
        return prepared

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self._close()  # before the last checkpoint, which is to be of what was decided
        if self.args.should_save and self.run is not None:
            folder = Path(self._get_output_dir(trial=trial), f"checkpoint-{self.state.global_step}")
            folder.mkdir(parents=True, exist_ok=True)
            torch.save(self._run_state(), folder / STATE_FILE)
        super()._save_checkpoint(model, trial)

    def _finalize_training(self, *args: Any, **kwargs: Any) -> Any:
        self._looked = True  # whether or not an evaluation was due
        self._close()
        return super()._finalize_training(*args, **kwargs)  # type: ignore[no-untyped-call]

    def _load_rng_state(self, checkpoint: str | None) -> None:
        # Between epochs it was loaded already: what is due there has drawn numbers since.
        if self.segment is not None or (self._epoch is not None and self._epoch.step):
            super()._load_rng_state(checkpoint)

    def _run_state(self) -> dict[str, Any]:
        assert self.run is not None
        if self._epoch is None:
            return self.run.state_dict()
        trained = self.state.global_step >= (self._epoch.index + 1) * self._steps_per_epoch()
        looks = str(getattr(self.args.eval_strategy, "value", self.args.eval_strategy)) != "no"
        if trained and (self._looked or not looks):
            return self.run.state_dict()
        return self._epoch.state_dict(trained=trained)

    def _steps_per_epoch(self) -> int:
        if self.segment is not None:
            return self.segment
        batches = len(self._loader)
        return max(1, -(-batches // int(self.args.gradient_accumulation_steps)))

    @property
    def _loader(self) -> Any:
        return self.callback_handler.train_dataloader

    # Between two epochs

    def _boundary(self) -> None:
        """Train what is due before the epoch that Trainer is about to begin, or go on inside of."""
        assert self.run is not None
        if self.segment is None and self._epoch is None:
            super()._load_rng_state(self._resumed_from)
        self._epoch = self.run.before(self.state.global_step // self._steps_per_epoch(), self._train_nested)
        self._looked = False
        self._tell_once()

    def _close(self) -> None:
        """Carry out what is decided after the last epoch, once it was looked at."""
        assert self.run is not None
        ended = self.state.global_step >= self.state.max_steps
        if ended and not self._closed and (self._looked or self.run.policy is None):
            self._closed = True
            self._boundary()

    def _tell_once(self) -> None:
        assert self.run is not None
        decision = self.run.decision
        if self._told or self.run.policy is None or decision.switch_at is None:
            return
        self._told = True
        self.log({"overmix/switch_at": float(decision.switch_at), "overmix/cost": self.run.cost})

    def _train_nested(self, epoch: Epoch) -> None:
        """Train one epoch of a probe, or one that is due again, and look at it."""
        outer, self._epoch = self._epoch, epoch
        try:
            with _apart(self):
                if not epoch.trained:
                    self._train_batches(epoch)
                if epoch.scored and self.eval_dataset is not None:
                    self._look()
        finally:
            self._epoch = outer

    def _train_batches(self, epoch: Epoch) -> None:
        assert self.optimizer is not None
        assert self.lr_scheduler is not None
        accumulated = int(self.args.gradient_accumulation_steps)
        batches, left = self._batches(epoch)
        while left:
            group, items = self.get_batch_samples(batches, min(accumulated, left), self.args.device)
            left -= len(group)
            self.current_gradient_accumulation_steps = len(group)
            for inputs in group:
                last = inputs is group[-1]
                self.accelerator.gradient_state._set_sync_gradients(last)
                with nullcontext() if last else self.accelerator.no_sync(model=self.model_wrapped):
                    self.training_step(self.model_wrapped, inputs, items)
            if self.args.max_grad_norm > 0:
                self._clip_grad_norm(self.model_wrapped)  # type: ignore[no-untyped-call]
            self.optimizer.step()
            if epoch.kind != "probe" and not self.accelerator.optimizer_step_was_skipped:
                self.lr_scheduler.step()
            self.model_wrapped.zero_grad()

    def _batches(self, epoch: Epoch) -> tuple[Iterator[Any], int]:
        """Return the batches of a nested epoch, and how many of them it has."""
        if self.segment is None:
            _set_epoch(self._loader, epoch.index)
            return iter(self._loader), len(self._loader)
        if self._side is None or _has_length(self._side[0]):
            loader = self.get_train_dataloader() if self._side is None else self._side[0]
            _set_epoch(loader, epoch.index)
            self._side = loader, _again(loader)
        return self._side[1], self.segment * int(self.args.gradient_accumulation_steps)

    def _look(self) -> None:
        model = self.model_wrapped
        was_training, self._observing = model.training, True
        model.eval()
        try:
            for inputs in self.get_eval_dataloader():
                self.prediction_step(model, inputs, prediction_loss_only=True)
        finally:
            self._observing = False
            model.train(was_training)


class _Boundaries(TrainerCallback):
    """Trainer's hooks: where an epoch, or a segment of steps, begins."""

    def __init__(self, trainer: MixTrainer) -> None:
        self._trainer = trainer

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._trainer.segment is None:
            self._trainer._boundary()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        segment = self._trainer.segment
        if segment is not None and (state.global_step % segment == 0 or self._trainer._epoch is None):
            self._trainer._boundary()


@contextmanager
def _apart(trainer: MixTrainer) -> Iterator[None]:
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
        yield from torch.utils.data.DataLoader.__iter__(loader)


def _has_length(loader: Any) -> bool:
    return hasattr(loader.dataset, "__len__")


def _set_epoch(loader: Any, epoch: int) -> None:
    parts: tuple[Any, Any] = (loader, getattr(getattr(loader, "batch_sampler", None), "batch_sampler", None))
    for part in parts:
        if hasattr(part, "set_epoch"):
            part.set_epoch(epoch)


def _saved(folder: Path) -> dict[str, Any]:
    path = folder / STATE_FILE
    if not path.exists():
        raise OvermixError(f"{path} is missing: resume from a checkpoint that a MixTrainer has saved")
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def _state(trainer: MixTrainer) -> dict[str, Any]:
    """Return all that the training changes, by name."""
    state = {
        "model": trainer.accelerator.unwrap_model(trainer.model),
        "optimizer": trainer.optimizer,
        "scheduler": trainer.lr_scheduler,
    }
    scaler = getattr(trainer.accelerator, "scaler", None)
    return state if scaler is None else state | {"scaler": scaler}


def _segment(args: Any, segment: int | None) -> int | None:
    """Return how many optimizer steps stand for an epoch; None if epochs do."""
    if args.max_steps <= 0:
        if segment is not None:
            raise ConfigError("segment", segment, "set args.max_steps too: a training of whole epochs has no segments")
        return None
    if segment is None and args.eval_strategy == "steps":
        segment = int(args.eval_steps)
    if isinstance(segment, bool) or not isinstance(segment, int) or segment < 1 or args.max_steps % segment:
        remedy = f"give the optimizer steps that stand for an epoch: a divisor of max_steps, {args.max_steps}"
        raise ConfigError("segment", segment, remedy)
    return segment


def _check(trainer: MixTrainer) -> None:
    """Refuse trainings whose epochs cannot be counted, and for policies what would not be seen or set back."""
    args = trainer.args
    switch_of(trainer.switch)
    if trainer.segment is None and args.num_train_epochs != int(args.num_train_epochs):
        raise ConfigError("args.num_train_epochs", args.num_train_epochs, "use whole epochs, or max_steps and segment")
    if not isinstance(trainer.switch, Policy):
        return
    if trainer.eval_dataset is None or isinstance(trainer.eval_dataset, dict):
        kind = None if trainer.eval_dataset is None else sorted(trainer.eval_dataset)
        raise ConfigError("eval_dataset", kind, "a policy decides from held-out samples: give one data set of them")
    by, every = ("epoch", None) if trainer.segment is None else ("steps", trainer.segment)
    if args.eval_strategy != by or (every is not None and args.eval_steps != every):
        wanted = f'"{by}"' if every is None else f'"steps" and eval_steps={every}, the segment'
        raise ConfigError("args.eval_strategy", str(args.eval_strategy), f"a policy looks once an epoch: use {wanted}")
    if args.load_best_model_at_end:
        raise ConfigError(
            "args.load_best_model_at_end",
            True,
            "leave it out: a policy may have discarded the best, or use off_at",
        )
    if str(getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)) in _PLATEAU:
        raise ConfigError(
            "args.lr_scheduler_type", str(args.lr_scheduler_type), "use one that follows the steps, or off_at"
        )


def _check_begun(trainer: MixTrainer) -> None:
    if not isinstance(trainer.switch, Policy):
        return
    sharded = {"DeepSpeed": trainer.is_deepspeed_enabled, "FSDP": trainer.is_fsdp_enabled}
    for name, used in sharded.items():
        if used:
            raise ConfigError("args", name, "a policy sets the training back: use one device, DDP, or off_at(0.5)")
    if trainer.segment is not None and trainer.args.world_size > 1:
        raise ConfigError(
            "args.max_steps", trainer.args.max_steps, "with several processes a policy counts epochs: leave it out"
        )
