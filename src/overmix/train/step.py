"""One optimizer step of a stack: in one pass that the objective does itself, where it can, else through autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from overmix._typing import Float
from overmix.mix import WithGradient
from overmix.train.batches import Batch, Batches
from overmix.train.optimizer import SGD, Optimizer
from overmix.train.perceptron import perceptron_step
from overmix.train.plan import EpochPlan
from overmix.train.stacked_model import StackedModel


class Stepper:
    """Takes the steps of a stack.

    Args:
        model: is trained.
        batches: what is minimised.
        optimizer: shared by the stack.
        weight_decay: of each replica, shape (R,), or ``None`` if none has any.
    """

    def __init__(
        self, model: StackedModel, batches: Batches, optimizer: Optimizer, weight_decay: Tensor | None
    ) -> None:
        self.model, self.batches, self.optimizer, self.weight_decay = model, batches, optimizer, weight_decay
        self.moments = optimizer.init(model.trainable)

    def batch(self, plan: EpochPlan, step: int) -> Batch:
        """Return what a step trains on."""
        if self.model.uses_dropout:
            self.model.set_dropout_keys(plan.dropout_keys[step])
        return self.batches.of(plan, step, self.model)

    def take(self, plan: EpochPlan, step: int, batch: Batch, lr: Float[Tensor, " replicas"]) -> Tensor:
        """Take a step of an epoch at each replica's learning rate, and return the loss before it, shape (R,)."""
        layers, optimizer, objective = self.model.perceptron, self.optimizer, self.batches.objective
        offered = batch.plan is None or self.batches.plain_step
        if (
            offered
            and isinstance(objective, WithGradient)
            and layers is not None
            and isinstance(optimizer, SGD)
            and not optimizer.nesterov
        ):
            step_itself = objective.with_gradient
            labels = self.batches.pair(plan, step, batch)
            return perceptron_step(
                batch.x,
                lambda output: step_itself(output, *labels),
                layers,
                self.moments,
                optimizer,
                lr,
                self.weight_decay,
            )
        return self._through_autograd(self.batches.loss(plan, step, batch, self.model), lr)

    def _through_autograd(self, loss: Tensor, lr: Tensor) -> Tensor:
        # Their sum gives each replica the gradient of its own loss.
        gradients = torch.autograd.grad(loss.sum(), self.model.trainable, allow_unused=True)
        # A parameter that took no part is left alone, weight decay included, as torch.optim does.
        used = [i for i, gradient in enumerate(gradients) if gradient is not None]
        kinds = range(0, len(self.moments), max(1, len(gradients)))
        self.optimizer.step(
            [self.model.trainable[i] for i in used],
            [gradients[i] for i in used],
            [self.moments[kind + i] for kind in kinds for i in used],
            lr,
            self.weight_decay,
        )
        return loss.detach()
