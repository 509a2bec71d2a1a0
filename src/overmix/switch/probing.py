"""The tail of a probe: plain training whose learning rate falls to 0."""

from __future__ import annotations

from torch import Tensor

from overmix.switch.policy import tail_factor
from overmix.switch.registered import Registered
from overmix.switch.snapshot import Snapshot, restore_momentum


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

    def begin(self) -> None:
        """Set up the first step."""
        self.step(0)

    def end(self) -> None:
        """Leave the training as it was before, but for what a snapshot sets back."""
        restore_momentum(self._registered, self._snapshot)

    def step(self, step: int) -> None:
        """Set up a zero-based step; a tail longer than it was thought to be ends at its lowest rate."""
        factor = tail_factor(min(step, self._steps - 1), self._steps)
        groups = [group for optimizer in self._registered.optimizers for group in optimizer.param_groups]
        for group, lr in zip(groups, self._snapshot["lr"], strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr * factor)  # a captured graph looks at this very tensor
            else:
                group["lr"] = lr * factor
        for layer, momentum in zip(self._registered.norms, self._snapshot["momentum"], strict=True):
            layer.momentum = max(momentum or 0.0, 1 / (step + 1))
