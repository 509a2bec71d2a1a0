"""The tail of a probe: plain training whose learning rate falls to 0."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from overmix.switch.fresh_statistics import FreshStatistics, averaged_models
from overmix.switch.policy import tail_factor
from overmix.switch.registered import Registered
from overmix.switch.snapshot import Snapshot


class Tail:
    """Sets what a tail's steps are done with: learning rates, running statistics, averaged weights.

    At step t of T the learning rate of every group is its own at the snapshot times ``1 - t / T``. Running statistics
    (BatchNorm) are those of the tail's batches alone, see :class:`FreshStatistics`, so that no score is of a model with
    another model's statistics, however short the tail. Averaged models (torch's ``AveragedModel``) begin anew before
    each step, so that they hold the tail's weights as they stand: an average that is slow beside a tail would hold
    those of before, and say the same of every probe.

    Args:
        registered: the training.
        snapshot: of its state at the tail's beginning.
        steps: T, steps in the whole tail.
    """

    def __init__(self, registered: Registered, snapshot: Snapshot, steps: int) -> None:
        self._registered, self._snapshot, self._steps = registered, snapshot, steps
        self._rates: list[tuple[dict[str, Any], float]] = []
        self._statistics: FreshStatistics | None = None
        self._averages: list[AveragedModel] = []

    def begin(self) -> None:
        """Take hold of the training, at the tail's beginning or where a run that resumed is inside of it."""
        self._rates = list(zip(self._groups(), self._snapshot["lr"], strict=False))
        self._statistics = FreshStatistics(self._registered, self._snapshot)
        self._averages = averaged_models(self._registered)

    def end(self) -> None:
        """Let go of it; what was set is set back with the snapshot."""
        if self._statistics is not None:
            self._statistics.forget()
        self._rates, self._statistics, self._averages = [], None, []

    def step(self, step: int) -> None:
        """Set up a zero-based step; a tail longer than it was thought to be ends at its lowest rate."""
        factor = tail_factor(min(step, self._steps - 1), self._steps)
        known = {id(group) for group, _ in self._rates}
        # Groups that the loop adds inside of a tail fall from the rate that they came with.
        self._rates += [(group, float(group["lr"])) for group in self._groups() if id(group) not in known]
        for group, lr in self._rates:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr * factor)  # a captured graph looks at this very tensor
            else:
                group["lr"] = lr * factor
        assert self._statistics is not None
        self._statistics.correct(step)
        for average in self._averages:
            average.n_averaged.zero_()  # its next update copies the weights

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self._registered.optimizers for group in optimizer.param_groups]
