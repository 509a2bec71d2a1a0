"""The tail of a probe: plain training whose learning rate falls to 0."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from overmix.errors import ConfigError
from overmix.switch.policy import Policy, tail_factor
from overmix.switch.registered import Registered
from overmix.switch.snapshot import Snapshot


class Tail:
    """Sets what a tail's batches are trained with: learning rates, and the pace of running statistics.

    At step t of T the learning rate of every group is its own at the snapshot times ``1 - t / T``. Running statistics
    (BatchNorm) take in batch t with weight ``max(momentum, 1 / (t + 1))``: the first one replaces what mixed batches
    had left behind, so that no score is of a model with another model's statistics, however short the tail.

    Args:
        registered: the training.
        snapshot: of its state at the tail's beginning.
        steps: T, batches in the whole tail.
    """

    def __init__(self, registered: Registered, snapshot: Snapshot, steps: int) -> None:
        self._registered, self._snapshot, self._steps = registered, snapshot, steps

    def prepare(self, step: int) -> None:
        """Set up the batch at a zero-based step; a tail longer than it was thought to be ends at its lowest rate."""
        factor = tail_factor(min(step, self._steps - 1), self._steps)
        groups = [group for optimizer in self._registered.optimizers for group in optimizer.param_groups]
        for group, lr in zip(groups, self._snapshot["lr"], strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr * factor)  # a captured graph looks at this very tensor
            else:
                group["lr"] = lr * factor
        for layer, momentum in zip(self._registered.norms, self._snapshot["momentum"], strict=True):
            layer.momentum = max(momentum or 0.0, 1 / (step + 1))


def planned_probes(policy: Policy, epochs: int) -> tuple[int, ...]:
    """Return the epochs that a policy wants to probe at.

    Raises:
        ConfigError: if they do not increase, lie outside of the training, or the tail has no epoch.
    """
    planned = tuple(policy.probe_epochs(epochs))
    increasing = all(a < b for a, b in pairwise(planned))
    if not all(isinstance(epoch, int) and 0 <= epoch < epochs for epoch in planned) or not increasing:
        raise ConfigError("switch.probe_epochs", planned, f"use increasing epochs in [0, {epochs})")
    if planned and policy.tail_epochs(epochs) < 1:
        raise ConfigError("switch.tail_epochs", policy.tail_epochs(epochs), "use at least one epoch")
    return planned
