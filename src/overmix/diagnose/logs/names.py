"""Names of metrics, taken apart: their words, the data they were measured on, and names that tell no curve."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

LogSplit = Literal["train", "test", "val", "eval"]

SPLIT_NAMES: dict[LogSplit, tuple[str, ...]] = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "val": ("val", "valid", "validation", "validating", "dev"),
    "eval": ("eval", "evaluation", "holdout", "heldout"),
}
_SPLIT_OF_WORD: dict[str, LogSplit] = {word: split for split, known in SPLIT_NAMES.items() for word in known}
RUNNING_BESTS = ("best", "max", "min", "highest", "lowest", "maximum", "minimum")
_SPREADS = ("std", "stderr", "stdev", "sem", "var", "variance")


def words(name: str) -> list[str]:
    """Split a name into lower-case words.

    Example:
        >>> words("Accuracy/valTop1"), words("eval_loss")
        (['accuracy', 'val', 'top1'], ['eval', 'loss'])
    """
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())


def plain_words(name: str) -> list[str]:
    """Split a name at its signs alone: capitals stay inside of a word.

    Example:
        >>> plain_words("val/mIoU"), words("val/mIoU")
        (['val', 'miou'], ['val', 'm', 'io', 'u'])
    """
    return re.findall(r"[a-z0-9]+", name.lower())


def split_of(name: str) -> LogSplit | None:
    """Return the data that a name says it was measured on; training, if it says that too.

    Example:
        >>> split_of("val_acc"), split_of("trainLoss"), split_of("metrics/mAP50(B)")
        ('val', 'train', None)
    """
    said = {_SPLIT_OF_WORD[word] for word in words(name) if word in _SPLIT_OF_WORD}
    return next((split for split in SPLIT_NAMES if split in said), None)


def split_of_text(text: object) -> LogSplit | None:
    """Return the split that a whole cell or the name of a folder is, such as ``valid``.

    Example:
        >>> split_of_text(" Valid "), split_of_text("validate me")
        ('val', None)
    """
    return _SPLIT_OF_WORD.get(text.strip().lower()) if isinstance(text, str) else None


def bare(name: str) -> tuple[str, ...]:
    """Return what is left of a name's words without those of a split, for finding twins.

    Example:
        >>> bare("val_acc") == bare("acc") == bare("Acc/train")
        True
    """
    return tuple(word for word in words(name) if word not in _SPLIT_OF_WORD)


def printable(text: str) -> str:
    r"""Return a text that no terminal and no picture takes amiss: what cannot be printed is a question mark.

    Example:
        >>> printable("val\x1b[31m_acc")
        'val?[31m_acc'
    """
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def is_running_best(name: str) -> bool:
    """Whether a name says that it is a best so far, which cannot turn whatever the training does.

    Example:
        >>> is_running_best("val/acc_best"), is_running_best("val/acc")
        (True, False)
    """
    return _has(name, RUNNING_BESTS)


def is_spread(name: str) -> bool:
    """Whether a name says that it is a standard deviation or the like, and no metric."""
    return _has(name, _SPREADS)


def _has(name: str, known: Iterable[str]) -> bool:
    return any(word in known for word in words(name))
