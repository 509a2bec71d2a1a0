"""Which metric is judged where none was asked for, and what is not looked at then."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from overmix.diagnose.axis import AXES
from overmix.diagnose.logs.held_out import held_out
from overmix.diagnose.logs.kinds import kind_of
from overmix.diagnose.logs.log import Log
from overmix.diagnose.logs.names import LogSplit, is_running_best, is_spread, split_of, words
from overmix.errors import ConfigError, did_you_mean

_SPLIT_ORDER: tuple[LogSplit, ...] = ("test", "val", "eval")
_PRINCIPAL = ("total", "top1", "acc1", "prec1")
_NUMBER = re.compile(r"[a-z]*?(\d+)")


@dataclass(frozen=True)
class Choice:
    """A metric to judge.

    Attributes:
        metric: its name.
        others: the other held-out metrics of the log, in the order in which they would be chosen.
    """

    metric: str
    others: tuple[str, ...]


def choose_metric(names: Sequence[str], logs: Sequence[Log], where: str) -> Choice:
    """Choose the held-out metric to judge.

    1. What the task is about before losses: error rate and accuracy, F scores, overlaps and text overlaps, average
       precision and the like, other rates, errors in their own unit, distances, scores; the column *chosen* of
       `KINDS` has the whole order.
    2. Test before validation. Test data give the verdict on a finished run; to choose an epoch, name a validation
       metric.
    3. The plain metric before those at another rank or threshold (top-1 before top-5, ``mAP50-95`` before ``mAP50``),
       a total before its parts.
    4. What most runs logged, the shorter name, and at last the alphabet.

    Running bests (``best``, ``max``, ``min``) cannot turn and are never chosen, nor are standard deviations.

    Raises:
        ConfigError: none is found.

    Example:
        >>> choose_metric(["epoch", "train_loss", "val_loss", "val_acc"], [], "log.csv")
        Choice(metric='val_acc', others=('val_loss',))
    """
    splits = held_out(logs, names)
    judged = {name: split for name, split in splits.items() if not is_running_best(name) and not is_spread(name)}
    logged = Counter(name for log in logs for name in log.names())
    ranked = sorted(_rank(name, split, logged[name]) for name, split in judged.items())
    if not ranked:
        listed = ", ".join(name for name in names if name.lower() not in AXES) or "none"
        hints = " ".join(dict.fromkeys(log.hint for log in logs if log.hint))
        remedy = f"{where} has no held-out metric that its name tells; choose from: {listed}"
        raise ConfigError("metric", None, f"{remedy}. {hints}" if hints else remedy)
    chosen, *others = [name for *_, name in ranked]
    unknown = [name for name in names if kind_of(name) is None and split_of(name) not in (None, "train")]
    passed = [name for name in splits if is_running_best(name)]
    return Choice(chosen, (*others, *unknown, *passed))


def check_metric(name: str, names: Sequence[str], where: str) -> Choice:
    """Return the metric that was asked for if it is there, or say which is near.

    Raises:
        ConfigError: no such metric.
    """
    if name not in names:
        raise ConfigError("metric", name, f"{where} has no such column; {did_you_mean(name, names)}")
    return Choice(name, ())


def _rank(name: str, split: LogSplit, runs: int) -> tuple[int, int, int, int, int, str]:
    kind = kind_of(name)
    said = words(name)
    return (0 if kind is None else kind.choice), _SPLIT_ORDER.index(split), _detail(said), -runs, len(said), name


def _detail(said: Sequence[str]) -> int:
    """Return 0 for the principal form of a metric, 1 for the plain one, 2 for one at a certain rank or threshold."""
    over_thresholds = "95" in said and any(word == "5" or word.endswith("50") for word in said)  # mAP50-95, 0.5:0.95
    if over_thresholds or any(word in _PRINCIPAL for word in said):
        return 0
    return 2 if any(_is_rank(word) for word in said) else 1


def _is_rank(word: str) -> bool:
    number = _NUMBER.fullmatch(word)
    return number is not None and int(number[1]) > 2
