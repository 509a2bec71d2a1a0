"""Averaged weights: what is scored while the training itself goes on as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

from overmix.errors import ConfigError
from overmix.train.kernels import foreach


class Average:
    """``average <- d average + (1 - d) weights`` after every step t, with ``d = min(decay, (1 + t) / (10 + t))``.

    The smaller d of the first steps forgets the initial weights. Running statistics (BatchNorm) are averaged as well.

    Args:
        tensors: the weights and running statistics of a stack, which steps change in place.
        decay: d after the first steps, in (0, 1).

    Raises:
        ConfigError: if the decay lies elsewhere.

    Source: B. T. Polyak, A. B. Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992, for the plain
    mean; the exponential one is common practice.
    """

    def __init__(self, tensors: Sequence[Tensor], decay: float) -> None:
        if not 0 < decay < 1:
            raise ConfigError("train.average", decay, "use a share of the old average in (0, 1), such as 0.99")
        self._tensors = [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
        self.values = [tensor.clone() for tensor in self._tensors]
        self._decay = decay

    def update(self, step: int) -> None:
        """Take in the weights after a zero-based step of the training."""
        foreach.lerp(self.values, self._tensors, 1 - min(self._decay, (1 + step) / (10 + step)))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average in the place of the weights for a while."""
        weights = [tensor.clone() for tensor in self._tensors]
        try:
            foreach.copy(self._tensors, self.values)
            yield
        finally:
            foreach.copy(self._tensors, weights)
