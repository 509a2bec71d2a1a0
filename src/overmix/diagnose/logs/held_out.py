"""Which of a log's metrics were measured on held-out data, though not every tool says it in their names."""

from __future__ import annotations

from collections.abc import Sequence

from overmix.diagnose.logs.cells import is_absent
from overmix.diagnose.logs.kinds import kind_of
from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.names import LogSplit, bare, split_of

EVALUATORS = tuple(
    "metrics accuracy single-label multi-label coco bbox segm keypoints pascal_voc sem_seg panoptic_seg lvis "
    "cityscapes retrieval".split()
)
"""First parts of names under which YOLO, the mm family and detectron2 log what they evaluate, and nothing else."""


def held_out(logs: Sequence[Log], names: Sequence[str]) -> dict[str, LogSplit]:
    """Return the metrics of held-out data, and the split that they were measured on.

    A name that says its split is believed. One that says none was measured on held-out data if it is not the twin of
    one that says so (Keras: ``accuracy`` beside ``val_accuracy``) and

    - an evaluator's name stands before it (YOLO's ``metrics/``, mm's ``accuracy/``, detectron2's ``bbox/``), or
    - it is only ever computed by an evaluation (average precision, BLEU, word error rate), or
    - all losses of the log say their split, training and held out (fastai: ``train_loss``, ``valid_loss``,
      ``accuracy``), or
    - it is never in a row with the loss that the log has (mmsegmentation), or
    - it is an error rate and the log has no other metric: what is published is a test error.
    """
    metrics = [name for name in names if kind_of(name) is not None]
    said = {name: split for name in metrics if (split := split_of(name)) is not None}
    twins = {bare(name) for name, split in said.items() if split != "train"}
    untold = [name for name in metrics if name not in said and bare(name) not in twins and not _is_loss(name)]
    losses = {said.get(name) for name in metrics if _is_loss(name)}
    by_prefix = "train" in losses and len(losses) > 1 and None not in losses
    alone = [name for name in untold if _is_error(name)]
    apart = set() if by_prefix else _apart_from_losses(untold, logs, metrics)
    splits: dict[str, LogSplit] = {name: split for name, split in said.items() if split != "train"}
    for name in untold:
        if by_prefix or _is_evaluated(name) or name in apart:
            splits[name] = "eval"
    if not splits and not said and len(alone) == 1:
        splits[alone[0]] = "eval"
    return splits


def _is_loss(name: str) -> bool:
    kind = kind_of(name)
    return kind is not None and kind.name == "loss"


def _is_error(name: str) -> bool:
    kind = kind_of(name)
    return kind is not None and kind.name == "error rate"


def _is_evaluated(name: str) -> bool:
    kind = kind_of(name)
    evaluator, _, rest = name.lower().partition("/")
    return (kind is not None and kind.evaluated) or (bool(rest) and evaluator in EVALUATORS)


def _apart_from_losses(untold: Sequence[str], logs: Sequence[Log], metrics: Sequence[str]) -> set[str]:
    """Return the metrics that have rows of their own in logs whose other rows have a loss of the training."""
    losses = [name for name in metrics if _is_loss(name) and split_of(name) in (None, "train")]
    beside: set[str] = set()
    without: set[str] = set()
    has_loss = False
    for row in (row for log in logs for row in log.rows):
        with_loss = any(not is_absent(row.get(loss)) for loss in losses)
        has_loss |= with_loss
        (beside if with_loss else without).update(name for name in untold if not is_absent(row.get(name)))
    return without - beside if has_loss else set()
