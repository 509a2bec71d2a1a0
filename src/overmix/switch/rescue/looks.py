"""What a model says of held-out samples, on the way from a user's function to what a policy sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from overmix.errors import ConfigError, DataError
from overmix.switch.policy import Observation, Probe
from overmix.switch.record import Record
from overmix.switch.same_samples import SameSamples
from overmix.switch.tally import Tally, check_observed, check_scores

Scored: TypeAlias = Tensor | np.ndarray | tuple[Tensor, Tensor] | tuple[np.ndarray, np.ndarray]
"""Logits (N, C) and labels (N,) of held-out samples; or a score of each, shape (N,), lower is better. Tensors or arrays
of any library; always the same samples in the same order."""


class Look(NamedTuple):
    """One look at the held-out samples.

    Args:
        mean: over the samples.
        each: the samples one by one.
    """

    mean: Observation
    each: Probe


@dataclass
class Looks:
    """Takes in what a user's function returns, and refuses what cannot be compared with the looks before."""

    _samples: SameSamples = field(default_factory=SameSamples)
    _record: Record = field(default_factory=Record)

    def take(self, answer: Scored, done: int, tail: int = 0, mixing: float = 1.0) -> Look:
        """Return a look.

        Args:
            answer: what the function returned.
            done: epochs of Mixup before it.
            tail: epochs of plain training after them.
            mixing: share of the last epoch's batches that were mixed.

        Raises:
            DataError: if it is nothing that can be scored, or of other samples than before.
        """
        try:
            tally = _tally(answer)
            assert tally.kind is not None
            self._record.check_kind(tally.kind)
            each = self._samples.probe(done, tail, tally)
            mean = tally.observation(done + tail - 1, mixing, "val")
        except (ConfigError, DataError) as error:
            raise DataError(f"checkpoint {done}: {error}") from None
        assert mean is not None
        return Look(mean, each)


def _tally(answer: Any) -> Tally:
    """Score what was returned, sample by sample."""
    tally = Tally()
    if isinstance(answer, tuple | list) and len(answer) == 2:
        logits, labels = (_tensor(part) for part in answer)
        check_observed(logits, labels)
        tally.add(logits, labels, per_sample=True)
        return tally
    scores = _tensor(answer)
    if not isinstance(scores, Tensor):
        kind = type(answer).__name__
        raise DataError(f"got a {kind}: return (logits, labels), or a score of each sample, floats of shape (N,)")
    check_scores(scores)
    tally.add_scores(scores, per_sample=True)
    return tally


def _tensor(part: Any) -> Any:
    """Return arrays of other libraries as tensors, and anything else as it is."""
    if isinstance(part, Tensor) or not hasattr(part, "__array__"):
        return part
    try:
        return torch.from_numpy(np.asarray(part).copy())  # theirs may be read-only
    except TypeError:  # no numbers
        return part
