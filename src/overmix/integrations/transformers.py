"""transformers: a Trainer that mixes, probes and goes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from overmix.errors import ConfigError, MissingExtraError, OvermixError
from overmix.integrations.trackers import decision_metrics
from overmix.integrations.trainer_inputs import MixedBatch, first, mixed_inputs
from overmix.integrations.trainer_loss import check_loss, logits_of, takes_labels
from overmix.integrations.trainer_nested import Nested
from overmix.integrations.trainer_settings import check, check_begun, segment_of
from overmix.integrations.versions import warn_if_untested
from overmix.mix import Recipe
from overmix.switch import Epoch, Epochs, Gate, Outcome, Phases, Policy, Schedule

try:
    import transformers
    from transformers import Trainer, TrainerCallback
except ImportError:
    raise MissingExtraError("transformers", "transformers") from None

__all__ = ["MixTrainer"]

STATE_FILE = "overmix.pt"
"""Beside Trainer's own files in a checkpoint's folder."""


class MixTrainer(Trainer):
    """``x' = lam x_i + (1 - lam) x_j`` in the place of ``Trainer``, until a schedule, or what is observed, says stop.

        trainer = MixTrainer(
            model=model, args=args, train_dataset=train, eval_dataset=held_out,
            mix=overmix.Mixup(alpha=1.0), switch=overmix.AutoSwitch(),
        )
        trainer.train()
        print(trainer.decision)

    Images, spectrograms and waveforms are mixed as they are; text is mixed at the embeddings of its tokens, where a
    position counts that either of the two texts has; for models that take the last token (GPT-2, Llama), padded on the
    left. Labels are classes, shape (B,). Evaluation is never mixed, and
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
            yourself is on, and ``trainer.gate`` says it to a data set.
        switch: when to mix, as for :class:`overmix.Epochs`.
        mix_seed: names the run; by default ``args.seed``.
        segment: optimizer steps that stand for an epoch where ``args.max_steps`` is set; by default ``args.eval_steps``
            if it evaluates by steps.
        **kwargs: as for ``Trainer``. A ``compute_loss_func`` gets a :class:`overmix.MixedTarget` in the place of the
            labels when it trains, and labels when it evaluates. Without one, batches that are not mixed have the
            model's own loss, and mixed ones the cross-entropy of both labels.

    Attributes:
        run: the :class:`overmix.Epochs` of the training; None before it.

    Raises:
        ConfigError: when it is made, or when the training begins, if a setting cannot work; with the first mixed batch,
            if the model's own loss is not the cross-entropy, and there is no ``compute_loss_func``.
        DataError: if a model takes the last token of a text, and a text of a mixed batch is padded on the right.

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
        self.segment = segment_of(self.args, segment)
        self.run: Epochs | None = None
        self._epoch: Epoch | None = None
        self._resumed_from: str | None = None
        self._nested: Nested | None = None
        self._gate: Gate | None = None
        self.current_gradient_accumulation_steps = 1  # Trainer sets it with the first batches
        self._observing = self._looked = self._told = self._closed = self._checked_loss = False
        check(self)
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
    def gate(self) -> Gate:
        """What says ``trainer.epoch.on`` to the data set, in its workers too, see :class:`overmix.switch.Gate`.

        Raises:
            ConfigError: where segments of steps stand for epochs: their first batches are made before they begin.
        """
        if self.segment is not None:
            remedy = "train whole epochs, without max_steps, or ask trainer.epoch.on where the batch has arrived"
            raise ConfigError("segment", self.segment, f"its first batches are made before it begins: {remedy}")
        if self._gate is None:
            self._gate = Gate()
        return self._gate

    @property
    def decision(self) -> Outcome | None:
        """What was seen, what was decided, and why; None before the training."""
        return None if self.run is None else self.run.decision

    # What is mixed, and what is observed

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss of a batch: of both labels while it mixes, Trainer's own otherwise."""
        self.loss_is_scaled_for_ga = None  # Trainer knows it of its own loss
        if not model.training or self._epoch is None or self.recipe is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        inner = self.accelerator.unwrap_model(self.model)
        others = dict(inputs)
        labels = others.pop("labels", None)
        batch = mixed_inputs(self._epoch, inner, others, labels)
        of_model = self.compute_loss_func is None and takes_labels(inner)
        if of_model and not batch.is_mixed:
            return super().compute_loss(model, batch.inputs | {"labels": labels}, return_outputs, num_items_in_batch)
        # The loss is the mean over a batch: Trainer divides it by the number of accumulated ones.
        self.loss_is_scaled_for_ga = False
        outputs = self._checked_outputs(model, batch) if of_model and not self._checked_loss else model(**batch.inputs)
        if self.compute_loss_func is not None:
            loss = self.compute_loss_func(outputs, batch.target, num_items_in_batch=None)
        else:
            smoothing = self.args.label_smoothing_factor
            loss = batch.target.cross_entropy(logits_of(outputs), label_smoothing=smoothing)
        return (loss, outputs) if return_outputs else loss

    def _checked_outputs(self, model: Any, batch: MixedBatch) -> Any:
        """Return the outputs for the first mixed batch, with which the model was given labels to see its loss."""
        self._checked_loss = True
        labels = batch.target.a
        # Smoothed labels make a loss of Trainer's own; on several devices of one process a loss comes from each.
        if self.label_smoother is not None or self.args.n_gpu > 1 or labels.dim() != 1 or labels.is_floating_point():
            return model(**batch.inputs)
        outputs = model(**batch.inputs, labels=labels)
        check_loss(self.accelerator.unwrap_model(self.model), outputs, labels)
        return outputs

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
        check_begun(self)
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
        self._resumed_from, self._nested = resume_from_checkpoint, Nested(self)
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
        if self._epoch is not None:
            self._set_gate(self._epoch)
        self._tell_once()

    def _set_gate(self, epoch: Epoch) -> None:
        if self._gate is not None:
            self._gate.set(epoch.on)

    def _train_nested(self, epoch: Epoch) -> None:
        assert self._nested is not None
        outer, self._epoch = self._epoch, epoch
        self._set_gate(epoch)
        try:
            self._nested.train(epoch)
        finally:
            self._epoch = outer

    def _look(self) -> None:
        """Show the held-out samples to the run, and to nobody else."""
        # What Trainer evaluates: in several processes not the wrapper, which would hand the first one's statistics out.
        assert self.model is not None
        model = self._wrap_model(self.model, training=False)
        was_training, self._observing = model.training, True
        model.eval()
        try:
            for inputs in self.get_eval_dataloader():
                self.prediction_step(model, inputs, prediction_loss_only=True)
        finally:
            self._observing = False
            model.train(was_training)

    def _close(self) -> None:
        """Carry out what is decided after the last epoch, once it was looked at."""
        assert self.run is not None
        ended = self.state.global_step >= self.state.max_steps
        if ended and not self._closed and (self._looked or self.run.policy is None):
            self._closed = True
            self._boundary()

    def _tell_once(self) -> None:
        assert self.run is not None
        if self._told or self.run.policy is None or self.run.decision.switch_at is None:
            return
        self._told = True
        self.log(decision_metrics(self.run))


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
