"""The engine: trains a stack of replicas as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float, Int
from overmix.errors import ConfigError, OvermixError
from overmix.mix import Objective
from overmix.switch import tail_factor
from overmix.train.augment import CropFlip
from overmix.train.average import Average
from overmix.train.batches import Batches
from overmix.train.checks import check_normalization, check_stack
from overmix.train.evaluation import Evaluator, samples_at_once
from overmix.train.looks import Looks
from overmix.train.needs import labelled_index, objective_for
from overmix.train.optimizer import Optimizer
from overmix.train.plan import EpochPlan, Planner, Replica
from overmix.train.resident import Labels, Normalization, ResidentData
from overmix.train.result import StackResult
from overmix.train.stacked_model import Execution, ModelFactory, StackedModel
from overmix.train.step import Stepper
from overmix.train.track import Tracker


class StackTraining:
    """One training of a stack, a pure function of its arguments: it can stop after any step and go on later.

    Args:
        factory: builds one model that maps (B, ...) to logits (B, C).
        data: the pool and the test set, on the device.
        replicas: the runs; all have training subsets of one size, and validation splits of one size.
        normalization: of each replica.
        optimizer: shared by the stack.
        epochs: length of the training, >= 1.
        batch_size: at most the size of the training subset.
        execution: whether the replicas are stacked or looped over.
        objective: what is minimised where nothing is mixed, and what recipes mix under; by default what is usual for
            the labels.
        average: if given, averaged weights are scored in the place of the weights, see :class:`Average`; the training
            does not change by a bit.
        augment: if given, training samples are cropped and flipped at random, each once per step: a partner is mixed in
            as it was augmented for its own place in the batch. Scores are of samples as they are.
        track: what else is looked at where scores are, see :class:`Tracker`; the training does not change by a bit.

    Raises:
        ConfigError: if the sizes do not fit.
    """

    def __init__(
        self,
        factory: ModelFactory,
        data: ResidentData,
        replicas: Sequence[Replica],
        normalization: Normalization,
        optimizer: Optimizer,
        epochs: int,
        batch_size: int,
        execution: Execution,
        objective: Objective | None = None,
        average: float | None = None,
        augment: CropFlip | None = None,
        track: Sequence[str] = (),
    ) -> None:
        self.objective = objective_for(data, objective)
        check_stack(replicas, data, self.objective, epochs, batch_size)
        check_normalization(normalization, len(replicas), data.x.dim())
        sample_shape = tuple(data.x.shape[1:])
        if augment is not None:
            augment.check(sample_shape)
        device = data.y.device
        self.data, self.normalization, self.epochs = data, normalization, epochs
        seeds = [replica.streams.torch_seed("init") for replica in replicas]
        self.model = StackedModel(factory, seeds, device, execution)
        weights = [*self.model.parameters.values(), *self.model.buffers.values()]
        self.average = None if average is None else Average(weights, average)
        labelled = labelled_index(replicas, data)
        labels = Labels.learnt(data, labelled)
        recipe = replicas[0].recipe
        self.planner = Planner(
            replicas,
            labels.cpu(),
            sample_shape,
            epochs,
            batch_size,
            device,
            domain=None if data.domain is None else data.domain.cpu(),
            keys=self.model.draws,
            augment=augment,
        )
        recipe.space.check_model(self.model.base)
        self.batches = Batches(data, labels, normalization, recipe, self.objective, augment)
        decay = torch.tensor([float(replica.weight_decay) for replica in replicas], device=device)
        decays = any(replica.weight_decay for replica in replicas)
        self.stepper = Stepper(self.model, self.batches, optimizer, decay if decays else None)
        self.evaluator = Evaluator(
            data,
            normalization,
            labels,
            labelled,
            torch.as_tensor(np.stack([r.val_index for r in replicas]), device=device),
            self.objective,
            samples_at_once(execution, device, len(replicas)),
        )
        if track and (data.labels != "classes" or not data.labelled.all()):
            raise ConfigError("train.track", list(track), "leave it out: it needs a class of every sample")
        tracker = Tracker(track, data, normalization, self.objective, replicas) if track else None
        self.looks = Looks(epochs, self.steps_per_epoch, len(replicas), self.evaluator, tracker)
        self.lr = _lr_table(replicas, epochs, self.steps_per_epoch, device)
        self.epoch, self.step = 0, 0

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return self.planner.steps_per_epoch

    @property
    def evaluation_epochs(self) -> Int[np.ndarray, " looks"]:
        """The 1-based epochs after which it is looked at."""
        return self.looks.epochs

    @property
    def done(self) -> bool:
        """Whether every epoch is trained."""
        return self.epoch == self.epochs

    def train(self, after_step: Callable[[StackTraining], None] | None = None) -> StackResult:
        """Train to the end.

        Args:
            after_step: called after every step with this object, whose :meth:`state_dict` may then be saved; to stop,
                let it raise.
        """
        notify = after_step or (lambda _: None)
        self.model.train()
        while True:
            if self.step == 0:
                self._between_epochs()
            if self.done:
                return self.result()
            plan = self.planner.epoch(self.epoch)
            while self.step < self.steps_per_epoch:
                now = self.epoch * self.steps_per_epoch + self.step
                self.looks.loss_sum += self.take_step(plan, self.step, self.lr[now], now)
                self.step += 1
                if self.step < self.steps_per_epoch:
                    notify(self)
            self._end_epoch(plan)
            notify(self)

    def _between_epochs(self) -> None:
        """Do what an engine that decides by itself does before each epoch and after the last; nothing here."""

    def take_step(self, plan: EpochPlan, step: int, lr: Float[Tensor, " replicas"], now: int) -> Tensor:
        """Take one step of the epoch, the one at zero-based ``now`` of the training, and return the loss before it."""
        batch = self.stepper.batch(plan, step)
        if plan.a is None and self.looks.after(self.epoch + 1):
            self.looks.floor_sum += self.batches.floors(batch)
        loss = self.stepper.take(plan, step, batch, lr)
        if self.average is not None:
            self.average.update(now)
        return loss

    def _scored(self) -> AbstractContextManager[None]:
        """Put what is scored in its place."""
        return nullcontext() if self.average is None else self.average.in_place()

    def _end_epoch(self, plan: EpochPlan) -> None:
        self.epoch, self.step = self.epoch + 1, 0
        if self.looks.after(self.epoch):
            with self._scored():
                self.looks.take(self.epoch, self.model, plan, self.objective)
        self.looks.begin_epoch()

    def probe(self, tail: int) -> Float[np.ndarray, "replicas val"]:
        """Train a short tail without mixing, score the validation split, and go back to where the training stood.

        Args:
            tail: length in epochs.

        Returns:
            The score of each validation sample of each replica, shape (R, v): the Brier score of classes.
        """
        with self.after_tail(tail), self._scored():
            return self.evaluator.val_scores(self.model).cpu().numpy().copy()

    @contextmanager
    def after_tail(self, tail: int, *, mixing: bool = False) -> Iterator[None]:
        """Train a tail, stand at its end for a while, and go back to where the training stood.

        The learning rate falls linearly to 0 along the tail, see :func:`overmix.switch.tail_factor`.

        Args:
            tail: length in epochs; 0 is none.
            mixing: whether it goes on mixing as the schedule says.
        """
        # A step of a tail counts in no look at the training's own loss.
        changed = [*self._trained(), self.looks.floor_sum]
        saved = [tensor.clone() for tensor in changed]
        steps, begun = tail * self.steps_per_epoch, self.epoch * self.steps_per_epoch
        lr = self.lr[min(self.epoch, self.epochs - 1) * self.steps_per_epoch]
        self.model.train()
        for number in range(steps):
            at, step = divmod(number, self.steps_per_epoch)
            if step == 0:
                plan = self.planner.epoch(self.epoch + at, mixing=mixing)
            self.take_step(plan, step, lr * tail_factor(number, steps), begun + number)
        try:
            yield
        finally:
            for tensor, before in zip(changed, saved, strict=True):
                tensor.copy_(before)

    def _trained(self) -> list[Tensor]:
        """The tensors that a step changes."""
        parameters = [p.detach() for p in self.model.parameters.values()]
        return [*parameters, *self.model.buffers.values(), *self.stepper.moments, *self._averages()]

    def _averages(self) -> list[Tensor]:
        return [] if self.average is None else self.average.values

    def latest(self) -> dict[str, Float[np.ndarray, " replicas"]]:
        """Return the newest look at each metric, shape (R,); waits for the device. Empty before the first look."""
        return self.looks.latest(self.epoch)

    def result(self) -> StackResult:
        """Return what was seen so far, as copies on the host."""
        return self.looks.result(self.lr)

    def _tensors(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by name."""
        parameters = {f"parameter.{name}": p.detach() for name, p in self.model.parameters.items()}
        buffers = {f"buffer.{name}": b for name, b in self.model.buffers.items()}
        moments = {f"velocity.{i}": moment for i, moment in enumerate(self.stepper.moments)}
        averages = {f"average.{i}": tensor for i, tensor in enumerate(self._averages())}
        return {**self.looks.tensors(), **parameters, **buffers, **moments, **averages}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state after the last step, as copies on the CPU. No random state: plans have addresses."""
        tensors = {name: tensor.cpu().clone() for name, tensor in self._tensors().items()}
        return {**tensors, "progress": torch.tensor([self.epoch, self.step])}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved state.

        Raises:
            OvermixError: if the state is of another stack.
        """
        tensors = self._tensors()
        for name, tensor in tensors.items():
            if name not in state or state[name].shape != tensor.shape:
                shape = tuple(state[name].shape) if name in state else None
                raise OvermixError(
                    f"state: {name} has shape {shape}, not {tuple(tensor.shape)}: it is of another study"
                )
        for name, tensor in tensors.items():
            tensor.copy_(state[name])
        self.epoch, self.step = (int(value) for value in state["progress"])


def _lr_table(replicas: Sequence[Replica], epochs: int, steps_per_epoch: int, device: torch.device) -> Tensor:
    """Return the learning rate of every step and replica, shape (epochs * S, R)."""
    columns = [replica.lr * replica.lr_schedule.factors(epochs, steps_per_epoch) for replica in replicas]
    return torch.as_tensor(np.stack(columns, axis=1), dtype=torch.float32, device=device)
