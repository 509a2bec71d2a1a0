"""What a metric's name says: error, loss or accuracy, and of which data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from overmix.errors import ConfigError, did_you_mean

Kind = Literal["error", "accuracy", "loss"]

_KINDS: dict[Kind, tuple[str, ...]] = {
    "error": ("error", "err", "wer", "cer"),
    "accuracy": (
        *(
            "accuracy",
            "acc",
            "precision",
            "recall",
            "sensitivity",
            "specificity",
            "kappa",
            "mcc",
            "iou",
            "miou",
            "jaccard",
        ),
        *(
            "dice",
            "auc",
            "auroc",
            "auprc",
            "rocauc",
            "prauc",
            "ap",
            "map",
            "mar",
            "ndcg",
            "mrr",
            "bleu",
            "rouge",
            "meteor",
        ),
        *("r2", "psnr", "ssim", "spearman", "pearson", "score"),
    ),
    "loss": ("loss", "nll", "crossentropy", "entropy", "brier", "ece", "mse", "mae", "rmse", "perplexity", "ppl"),
}
_NUMBERED = re.compile(r"(acc|top|f|ap|map|ar|iou|bleu|rouge|recall|precision)\d+")
"""Accuracies whose names end with a number: top5, f1, ap50, map75."""
_HELD_OUT = (("test",), ("val", "valid", "validation", "dev"), ("eval", "evaluation", "holdout"))
_TRAINING = ("train", "training")


def words(name: str) -> list[str]:
    """Split a name into lower-case words.

    Example:
        >>> words("Accuracy/valTop1"), words("eval_loss")
        (['accuracy', 'val', 'top1'], ['eval', 'loss'])
    """
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())


def kind_of(name: str) -> Kind | None:
    """Return what a name says that it measures; None if it says nothing. The last word that says something counts.

    Example:
        >>> kind_of("val_sparse_categorical_accuracy"), kind_of("test_error"), kind_of("epoch")
        ('accuracy', 'error', None)
        >>> kind_of("val_f1"), kind_of("val_f1_loss"), kind_of("loss/val")
        ('accuracy', 'loss', 'loss')
    """
    said: list[Kind | None] = []
    for part in re.findall(r"[A-Za-z0-9]+", name):
        whole = _kind_of_word(part.lower())  # mIoU is one word
        said += [whole] if whole else [_kind_of_word(word) for word in words(part)]
    return next((kind for kind in reversed(said) if kind is not None), None)


def _kind_of_word(word: str) -> Kind | None:
    known = next((kind for kind, names in _KINDS.items() if word in names), None)
    return "accuracy" if known is None and _NUMBERED.fullmatch(word) else known


def choose_metric(names: Sequence[str], where: str) -> str:
    """Choose the held-out metric to judge: errors before accuracies before losses, test before validation.

    Test data, if they were logged, give the verdict on a finished run; to choose an epoch, name a validation metric.

    Raises:
        ConfigError: none is found, or several are as good.

    Example:
        >>> choose_metric(["epoch", "train_loss", "val_loss", "val_acc"], "log.csv")
        'val_acc'
    """
    ranked = sorted((rank, name) for name in names if (rank := _rank(name)) is not None)
    if not ranked:
        listed = ", ".join(names) or "none"
        raise ConfigError("metric", None, f"{where} has no held-out metric that its name tells; choose from: {listed}")
    tied = [name for rank, name in ranked if rank == ranked[0][0]]
    if len(tied) > 1:
        raise ConfigError("metric", None, f"{where} has several held-out metrics; choose one of: {', '.join(tied)}")
    return tied[0]


def check_metric(name: str, names: Sequence[str], where: str) -> str:
    """Return the name if it is there, or say which is near.

    Raises:
        ConfigError: no such metric.
    """
    if name not in names:
        raise ConfigError("metric", name, f"{where} has no such column; {did_you_mean(name, names)}")
    return name


def is_held_out(name: str) -> bool:
    """Whether a name says that it is a metric of held-out data."""
    return _rank(name) is not None


def _rank(name: str) -> tuple[int, int] | None:
    """Return how well a metric serves, the lowest best; None for what is no held-out metric."""
    parts, kind = words(name), kind_of(name)
    if kind is None or any(part in _TRAINING for part in parts):
        return None
    held_out = next((i for i, known in enumerate(_HELD_OUT) if any(part in known for part in parts)), None)
    if held_out is None:  # "error" alone may be the test error; "loss" and "accuracy" alone are training's in Keras
        return None if kind != "error" else (len(_KINDS), 0)
    return list(_KINDS).index(kind), held_out
