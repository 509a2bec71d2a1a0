"""What a trained stack leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from overmix._typing import Bool, Float, Int, UInt8
from overmix.mix import LabelKind


@dataclass(frozen=True)
class StackResult:
    """What a trained stack leaves behind.

    Args:
        epochs: the 1-based epochs after which it was looked at, shape (T,).
        metrics: per name of :data:`METRICS`, shape (R, T); NaN for a split that does not exist.
        mix_loss: mean training loss as it was optimised, over the epoch, shape (R, T).
        mix_floor: mean entropy of the epoch's mixed labels, which no model's cross-entropy on them is below; 0 for
            objectives without such a floor; shape (R, T).
        mixing: share of the epoch's batches that were mixed, shape (R, T).
        lr: learning rate of the epoch's last step, shape (R, T).
        wrong: misclassified test samples, one bit each, packed along the last axis, shape (R, T, ceil(M / 8)); for
            labels that are no classes the error of each sample, float32, shape (R, T, M).
        n_test: M.
        steps_per_epoch: S.
        switch_at: epochs of Mixup that each replica decided on, shape (R,), where replicas decide by themselves.
        cost: epochs that each would have trained alone to decide and to end so, over those of one run, shape (R,).
        tracked: per column of what was tracked, shape (R, T); empty if nothing was.
        labels: what a label is.
    """

    epochs: np.ndarray
    metrics: Mapping[str, Float[np.ndarray, "replicas evaluations"]]
    mix_loss: Float[np.ndarray, "replicas evaluations"]
    mix_floor: Float[np.ndarray, "replicas evaluations"]
    mixing: Float[np.ndarray, "replicas evaluations"]
    lr: Float[np.ndarray, "replicas evaluations"]
    wrong: UInt8[np.ndarray, "replicas evaluations bytes"] | Float[np.ndarray, "replicas evaluations test"]
    n_test: int
    steps_per_epoch: int
    switch_at: Int[np.ndarray, " replicas"] | None = None
    cost: Float[np.ndarray, " replicas"] | None = None
    tracked: Mapping[str, Float[np.ndarray, "replicas evaluations"]] = field(default_factory=dict)
    labels: LabelKind = "classes"

    @property
    def diverged(self) -> Bool[np.ndarray, " replicas"]:
        """Which replicas diverged, shape (R,); see :func:`diverged`."""
        held = "test_cross_entropy" if self.labels == "classes" else "test_error"
        return diverged(self.mix_loss[:, -1], self.metrics[held][:, -1])


HOPELESS_LOSS = 1000.0
"""A training loss that only a diverged training ends with: guessing among a million classes costs 14 nats, and the
worst retrieval at a temperature of 0.006 costs 333."""


def diverged(
    mix_loss: Float[np.ndarray, "*replicas"], test_cross_entropy: Float[np.ndarray, "*replicas"]
) -> Bool[np.ndarray, "*replicas"]:
    """Return which trainings ended with a loss that is not finite, or with a training loss beyond all hope.

    The second kind is as frequent: the weights fly off until no ReLU fires, and the last bias then jumps about for
    ever, huge but finite.

    Args:
        mix_loss: training loss of the last epoch.
        test_cross_entropy: after the last epoch, same shape.

    Example:
        >>> diverged(np.array([0.1, np.nan, 0.1, 1e6]), np.array([0.2, 0.2, np.inf, 1e6])).tolist()
        [False, True, True, True]
    """
    hopeful: np.ndarray = np.isfinite(test_cross_entropy) & (mix_loss < HOPELESS_LOSS)
    return ~hopeful
