"""What is looked at along a training: scores after some epochs, and the loss as it was optimised."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float, Int
from overmix.mix import Objective
from overmix.train.evaluation import Evaluator, evaluation_epochs
from overmix.train.needs import error_type
from overmix.train.plan import EpochPlan
from overmix.train.result import StackResult
from overmix.train.stacked_model import StackedModel
from overmix.train.track import Tracker


class Looks:
    """Everything that a stack is seen to do, on the device; nobody waits for it before it is read.

    Args:
        epochs: length of the training.
        steps_per_epoch: optimizer steps of each.
        n_replicas: R.
        evaluator: scores the stack.
        tracker: what else is looked at, if anything.

    Raises:
        ConfigError: if the errors of so many test samples are too many to keep.
    """

    def __init__(
        self, epochs: int, steps_per_epoch: int, n_replicas: int, evaluator: Evaluator, tracker: Tracker | None
    ) -> None:
        self.steps_per_epoch, self.evaluator, self.tracker = steps_per_epoch, evaluator, tracker
        self.epochs: Int[np.ndarray, " looks"] = evaluation_epochs(epochs)
        data, count = evaluator.data, len(self.epochs)
        device, errors = data.y.device, error_type(data, count, n_replicas)

        def unseen(*shape: int) -> Tensor:
            return torch.full(shape, torch.nan, device=device)

        self.loss_sum, self.floor_sum = (torch.zeros(n_replicas, device=device) for _ in range(2))
        self.metrics = unseen(count, len(evaluator.columns), n_replicas)
        self.mix_loss, self.mix_floor = unseen(count, n_replicas), unseen(count, n_replicas)
        self.wrong = torch.zeros((count, n_replicas, len(data.y_test)), dtype=errors, device=device)
        self.mixing = torch.zeros((count, n_replicas), dtype=torch.float64)
        self.tracked = unseen(count, len(tracker.columns) if tracker else 0, n_replicas)

    def after(self, epochs: int) -> bool:
        """Return whether a look is due when so many epochs are trained."""
        return bool(self.epochs[np.searchsorted(self.epochs, epochs)] == epochs)

    def until(self, epochs: int) -> int:
        """Return how many looks there are at a training of which so many epochs are trained."""
        return int(np.searchsorted(self.epochs, epochs, side="right"))

    def take(self, epochs: int, model: StackedModel, plan: EpochPlan, objective: Objective) -> None:
        """Look at the stack after so many epochs, the last of which had this plan."""
        at = self.until(epochs) - 1
        metrics, wrong = self.evaluator(model)
        if self.tracker is not None:
            self.tracked[at] = self.tracker(model)
        self.metrics[at] = metrics
        self.wrong[at] = wrong
        self.mix_loss[at] = self.loss_sum / self.steps_per_epoch
        if plan.a is None or plan.b is None:
            self.mix_floor[at] = self.floor_sum / self.steps_per_epoch
        else:
            # Row by row, so that a replica's bits do not depend on how many others there are.
            floors = objective.floors(plan.a, plan.b, plan.lam).mean(dim=2)
            self.mix_floor[at] = floors.T.contiguous().mean(dim=1)
        self.mixing[at] = torch.from_numpy(plan.mixing)

    def begin_epoch(self) -> None:
        """Sum anew."""
        self.loss_sum.zero_()
        self.floor_sum.zero_()

    def latest(self, epochs: int) -> dict[str, Float[np.ndarray, " replicas"]]:
        """Return the newest look at each metric, shape (R,); waits for the device. Empty before the first look."""
        at = self.until(epochs) - 1
        return {} if at < 0 else dict(zip(self.evaluator.columns, self.metrics[at].cpu().numpy(), strict=True))

    def result(self, lr: Float[Tensor, "steps replicas"]) -> StackResult:
        """Return what was seen so far, as copies on the host.

        Args:
            lr: learning rate of every step.
        """
        data = self.evaluator.data
        last_step = torch.from_numpy(self.epochs * self.steps_per_epoch - 1).to(lr.device)
        return StackResult(
            epochs=self.epochs,
            metrics=_by_column(self.evaluator.columns, self.metrics),
            mix_loss=_on_host(self.mix_loss.T),
            mix_floor=_on_host(self.mix_floor.T),
            mixing=_on_host(self.mixing.T),
            lr=_on_host(lr[last_step].T),
            wrong=self._errors(),
            n_test=len(data.y_test),
            steps_per_epoch=self.steps_per_epoch,
            tracked=_by_column(self.tracker.columns, self.tracked) if self.tracker else {},
            labels=data.labels,
        )

    def _errors(self) -> np.ndarray:
        errors = _on_host(self.wrong.permute(1, 0, 2))
        return np.packbits(errors, axis=-1) if errors.dtype == bool else errors

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that a training changes here, by name."""
        changing = {
            "loss_sum": self.loss_sum,
            "floor_sum": self.floor_sum,
            "metrics": self.metrics,
            "mix_loss": self.mix_loss,
            "mix_floor": self.mix_floor,
            "wrong": self.wrong,
            "mixing": self.mixing,
        }
        return changing if self.tracker is None else {**changing, "tracked": self.tracked}


def _by_column(columns: tuple[str, ...], looks: Tensor) -> dict[str, Float[np.ndarray, "replicas looks"]]:
    return dict(zip(columns, _on_host(looks.permute(1, 2, 0)), strict=True))


def _on_host(tensor: Tensor) -> np.ndarray:
    """Return a copy: on the CPU, .numpy() alone would go on changing with the training."""
    return tensor.cpu().numpy().copy()
