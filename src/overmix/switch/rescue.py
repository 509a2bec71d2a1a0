"""Rescue: where to go back to when a training with Mixup is already over."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from overmix.errors import ConfigError, DataError
from overmix.switch.outcome import ProbeRow, beside_the_best, for_json, safe_epochs, score_name, table
from overmix.switch.policy import Probe, ScoreKind
from overmix.switch.tally import brier_per_sample, check_observed, check_range, outside_of

Checkpoint = TypeVar("Checkpoint")
Scored = Tensor | tuple[Tensor, Tensor] | np.ndarray | tuple[np.ndarray, np.ndarray]
"""A score of each held-out sample, shape (N,), lower is better; or logits (N, C) and labels (N,): tensors or arrays."""


@dataclass(frozen=True)
class Rescue:
    """Which checkpoint deserves a tail of plain training.

    Args:
        switch_at: epochs of Mixup of the chosen checkpoint; None if the samples cannot tell the checkpoints apart.
        reason: why.
        probes: one per checkpoint.
        spent: epochs trained for it.
    """

    switch_at: int | None
    reason: str
    probes: tuple[Probe, ...]
    spent: int

    @property
    def answer(self) -> str:
        """``"switch"`` or ``"undecided"``."""
        return "undecided" if self.switch_at is None else "switch"

    def rows(self) -> tuple[ProbeRow, ...]:
        """Return the checkpoints beside the best one."""
        return beside_the_best(self.probes)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "answer": self.answer,
            "switch_at": self.switch_at,
            "reason": self.reason,
            "n": len(self.probes[0].scores),
            "score": score_name(self.probes),
            "probes": [for_json(asdict(row)) for row in self.rows()],
            "safe_epochs": list(safe_epochs(self.rows())),
            "spent": self.spent,
        }

    def __str__(self) -> str:
        head = "Undecided" if self.switch_at is None else f"Go back to the checkpoint after {self.switch_at} epochs"
        price = f"Price: {self.spent} epochs trained."
        seen = table(self.rows(), len(self.probes[0].scores), score_name(self.probes))
        return "\n".join([f"{head}: {self.reason}.", seen, price])


def find_switch(
    branch: Callable[[Checkpoint, int], Scored], checkpoints: Mapping[int, Checkpoint], budget: int
) -> Rescue:
    """Return ``argmin_t B(t)`` over saved checkpoints t, B the mean held-out score after a tail of plain training.

    For trainings that are over, or that another program runs: nothing is trained here, ``branch`` does it. All tails
    have the same length, ``budget // len(checkpoints)``. If no checkpoint is worse than the best one beyond chance (see
    :func:`overmix.switch.outcome.beside_the_best`) the answer is "undecided".

    Args:
        branch: ``branch(checkpoint, epochs)`` loads the checkpoint, trains ``epochs`` epochs without mixing, the
            learning rate falling to 0, and returns what the model says of held-out samples: ``(logits, labels)`` of
            shapes (N, C) and (N,), which are scored by the Brier score, or a score of each, shape (N,), lower is
            better. Always the same samples in the same order. A tail with a score that is not finite is never the best.
        checkpoints: by the epochs of Mixup before them, two or more.
        budget: epochs to spend on all tails together.

    Raises:
        ConfigError: if there is nothing to choose from, or the budget is less than an epoch for each.
        DataError: if ``branch`` returns what cannot be compared; the message names the checkpoint.

    Example:
        >>> def branch(checkpoint, epochs):
        ...     return torch.full((50,), checkpoint) + 0.01 * torch.arange(50) / 50
        >>> chosen = find_switch(branch, {10: 0.3, 20: 0.2, 40: 0.4}, budget=12)
        >>> chosen.switch_at, chosen.spent
        (20, 12)
    """
    epochs = _checked(branch, checkpoints, budget)
    tail = int(budget) // len(epochs)
    probes: list[Probe] = []
    first: tuple[Tensor, Tensor | None] | None = None
    for epoch in epochs:
        scores, labels = _scored(branch(checkpoints[epoch], tail), epoch)
        if first is None:
            first = scores, labels
        _check_same_samples(first, (scores, labels), epoch, epochs[0])
        kind: ScoreKind = "scores" if labels is None else "brier"
        probes.append(Probe(epoch, tail, tuple(scores.double().cpu().tolist()), kind))
    rows = beside_the_best(probes)
    best = min(rows, key=lambda row: row.score)
    spent = tail * len(epochs)
    if not math.isfinite(best.score):
        return Rescue(None, "every tail diverged: train them at a lower learning rate", tuple(probes), spent)
    if not any(row.worse for row in rows):
        remedy = "hold out more samples or train longer tails"
        return Rescue(None, f"no checkpoint is worse than the best beyond chance; {remedy}", tuple(probes), spent)
    reason = (
        f"a tail of {tail} epochs of plain training from there has the lowest {score_name(probes)}, {best.score:.4f}"
    )
    return Rescue(best.epoch, reason, tuple(probes), spent)


def _checked(branch: object, checkpoints: object, budget: object) -> list[int]:
    if not callable(branch):
        raise ConfigError("branch", branch, "give a function of (checkpoint, epochs)")
    if not isinstance(checkpoints, Mapping):
        raise ConfigError("checkpoints", type(checkpoints).__name__, "give them by epoch, {100: 'epoch_100.pt', ...}")
    epochs = list(checkpoints)
    if any(isinstance(e, bool) or not isinstance(e, int | np.integer) or e < 0 for e in epochs):
        raise ConfigError("checkpoints", epochs, "the keys are epochs, integers >= 0")
    if len(epochs) < 2:
        raise ConfigError("checkpoints", epochs, "give two or more to choose from")
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer) or budget < len(epochs):
        raise ConfigError("budget", budget, f"use an integer >= {len(epochs)}, an epoch for each checkpoint")
    return sorted(epochs)


def _scored(answer: object, epoch: int) -> tuple[Tensor, Tensor | None]:
    """Return the score of each sample, and the labels if they were given."""
    if isinstance(answer, tuple | list) and len(answer) == 2 and all(hasattr(part, "shape") for part in answer):
        logits, labels = (_tensor(part) for part in answer)
        try:
            check_observed(logits, labels)
            check_range(outside_of(labels, logits.shape[1]), logits.shape[1])
        except DataError as error:
            raise DataError(f"checkpoint {epoch}: {error}") from None
        return brier_per_sample(logits.detach(), labels.to(logits.device)), labels.cpu()
    answer = _tensor(answer)
    if isinstance(answer, Tensor) and answer.dim() == 1 and answer.is_floating_point() and answer.numel():
        return answer.detach(), None
    raise DataError(
        f"checkpoint {epoch}: branch returned {_named(answer)}: "
        "return (logits, labels), or a score of each sample, floats of shape (N,)"
    )


def _tensor(answer: Any) -> Any:
    """Return arrays of other libraries as tensors, and anything else as it is."""
    if isinstance(answer, Tensor) or not hasattr(answer, "__array__"):
        return answer
    try:
        return torch.from_numpy(np.asarray(answer).copy())  # theirs may be read-only
    except TypeError:  # no numbers
        return answer


def _named(answer: object) -> str:
    return f"a tensor of shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else f"a {type(answer).__name__}"


def _check_same_samples(
    first: tuple[Tensor, Tensor | None], now: tuple[Tensor, Tensor | None], epoch: int, first_epoch: int
) -> None:
    if (first[1] is None) != (now[1] is None):
        raise DataError(f"checkpoint {epoch}: another kind of scores than checkpoint {first_epoch}: return one kind")
    same = len(first[0]) == len(now[0])
    if same and first[1] is not None and now[1] is not None:
        same = torch.equal(first[1], now[1])
    if not same:
        raise DataError(
            f"checkpoint {epoch}: other held-out samples than checkpoint {first_epoch}: "
            "score all on the same ones in the same order"
        )
    if len(now[0]) < 2:
        raise DataError(f"checkpoint {epoch}: one held-out sample tells nothing: give two or more")
