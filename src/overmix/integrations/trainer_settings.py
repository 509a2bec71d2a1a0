"""Which of Trainer's arguments a run works with."""

from __future__ import annotations

from typing import Any

from overmix.errors import ConfigError
from overmix.integrations.trainer_loss import check_without_labels
from overmix.switch import Policy
from overmix.switch.settings import switch_of

_PLATEAU = ("reduce_lr_on_plateau", "greedy")


def segment_of(args: Any, segment: int | None) -> int | None:
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


def check(trainer: Any) -> None:
    """Refuse trainings whose epochs cannot be counted, and for policies what would not be seen or set back."""
    args = trainer.args
    switch_of(trainer.switch)
    if trainer.recipe is not None:
        check_without_labels(trainer.model)
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


def check_begun(trainer: Any) -> None:
    """Refuse for policies, when the training begins, how a model is spread that they could not set back."""
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
