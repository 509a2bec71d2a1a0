"""The engine: trains a stack of replicas as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.mix import Objective, WithGradient
from overmix.switch import Schedule, tail_factor
from overmix.train.augment import CropFlip
from overmix.train.average import Average
from overmix.train.batches import Batches
from overmix.train.evaluation import Evaluator, evaluation_epochs
from overmix.train.needs import check_needs, error_type, labelled_index, objective_for, share_a_step
from overmix.train.optimizer import SGD, Optimizer
from overmix.train.perceptron import perceptron_step
from overmix.train.plan import EpochPlan, Planner, Replica
from overmix.train.resident import Labels, Normalization, ResidentData
from overmix.train.result import StackResult
from overmix.train.stacked_model import Execution, ModelFactory, StackedModel
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
        _check(replicas, data, self.objective, epochs, batch_size)
        _check_normalization(normalization, len(replicas), data.x.dim())
        sample_shape = tuple(data.x.shape[1:])
        if augment is not None:
            augment.check(sample_shape)
        device = data.y.device
        self.data, self.normalization, self.optimizer, self.epochs = data, normalization, optimizer, epochs
        seeds = [replica.streams.torch_seed("init") for replica in replicas]
        self.model = StackedModel(factory, seeds, device, execution)
        self.moments = optimizer.init(self.model.trainable)
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
        self.evaluator = Evaluator(
            data,
            normalization,
            labels,
            labelled,
            torch.as_tensor(np.stack([r.val_index for r in replicas]), device=device),
            self.objective,
        )
        if track and (data.labels != "classes" or not data.labelled.all()):
            raise ConfigError("train.track", list(track), "leave it out: it needs a class of every sample")
        self.tracker = Tracker(track, data, normalization, self.objective, replicas) if track else None
        self._lr = _lr_table(replicas, epochs, self.steps_per_epoch, device)
        decay = torch.tensor([float(replica.weight_decay) for replica in replicas], device=device)
        self._weight_decay = decay if any(replica.weight_decay for replica in replicas) else None
        self.epoch, self.step = 0, 0
        self._allocate(len(replicas), device)

    def _allocate(self, n_replicas: int, device: torch.device) -> None:
        self.evaluation_epochs = evaluation_epochs(self.epochs)
        count = len(self.evaluation_epochs)
        self._loss_sum = torch.zeros(n_replicas, device=device)
        columns = len(self.evaluator.columns)
        self._metrics = torch.full((count, columns, n_replicas), torch.nan, device=device)
        self._mix_loss = torch.full((count, n_replicas), torch.nan, device=device)
        self._mix_floor = torch.full((count, n_replicas), torch.nan, device=device)
        self._floor_sum = torch.zeros(n_replicas, device=device)
        self._wrong = torch.zeros(
            (count, n_replicas, len(self.data.y_test)), dtype=error_type(self.data, count, n_replicas), device=device
        )
        self._mixing = torch.zeros((count, n_replicas), dtype=torch.float64)
        columns = len(self.tracker.columns) if self.tracker else 0
        self._tracked = torch.full((count, columns, n_replicas), torch.nan, device=device)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return self.planner.steps_per_epoch

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
                self._loss_sum += self._step(plan, self.step, self._lr[now], now)
                self.step += 1
                if self.step < self.steps_per_epoch:
                    notify(self)
            self._end_epoch(plan)
            notify(self)

    def _between_epochs(self) -> None:
        """Do what an engine that decides by itself does before each epoch and after the last; nothing here."""

    def _step(self, plan: EpochPlan, step: int, lr: Tensor, now: int) -> Tensor:
        """Do one step of the epoch, the one at zero-based ``now`` of the training, and return the loss before it."""
        loss = self._train_step(plan, step, lr)
        if self.average is not None:
            self.average.update(now)
        return loss

    def _scored(self) -> AbstractContextManager[None]:
        """Put what is scored in its place."""
        return nullcontext() if self.average is None else self.average.in_place()

    def _train_step(self, plan: EpochPlan, step: int, lr: Tensor) -> Tensor:
        """Do one step at a learning rate of shape (R,), and return the loss before it, shape (R,)."""
        if self.model.uses_dropout:
            self.model.set_dropout_keys(plan.dropout_keys[step])
        batch = self.batches.of(plan, step, self.model)
        if plan.a is None and self._looks_after(self.epoch):
            self._floor_sum += self.batches.floors(batch)
        layers, optimizer, objective = self.model.perceptron, self.optimizer, self.objective
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
                self._weight_decay,
            )
        # Their sum gives each replica the gradient of its own loss.
        return self._general_step(self.batches.loss(plan, step, batch, self.model), lr)

    def _looks_after(self, epoch: int) -> bool:
        return bool(self.evaluation_epochs[np.searchsorted(self.evaluation_epochs, epoch + 1)] == epoch + 1)

    def _general_step(self, loss: Tensor, lr: Tensor) -> Tensor:
        gradients = torch.autograd.grad(loss.sum(), self.model.trainable, allow_unused=True)
        # A parameter that took no part is left alone, weight decay included, as torch.optim does.
        used = [i for i, gradient in enumerate(gradients) if gradient is not None]
        kinds = range(0, len(self.moments), max(1, len(gradients)))
        self.optimizer.step(
            [self.model.trainable[i] for i in used],
            [gradients[i] for i in used],
            [self.moments[kind + i] for kind in kinds for i in used],
            lr,
            self._weight_decay,
        )
        return loss.detach()

    def _end_epoch(self, plan: EpochPlan) -> None:
        self.epoch, self.step = self.epoch + 1, 0
        at = int(np.searchsorted(self.evaluation_epochs, self.epoch))
        if self._looks_after(self.epoch - 1):
            with self._scored():
                metrics, wrong = self.evaluator(self.model)
                if self.tracker is not None:
                    self._tracked[at] = self.tracker(self.model)
            self._metrics[at] = metrics
            self._wrong[at] = wrong
            self._mix_loss[at] = self._loss_sum / self.steps_per_epoch
            if plan.a is None or plan.b is None:
                self._mix_floor[at] = self._floor_sum / self.steps_per_epoch
            else:
                # Row by row, so that a replica's bits do not depend on how many others there are.
                floors = self.objective.floors(plan.a, plan.b, plan.lam).mean(dim=2)
                self._mix_floor[at] = floors.T.contiguous().mean(dim=1)
            self._mixing[at] = torch.from_numpy(plan.mixing)
        self._loss_sum.zero_()
        self._floor_sum.zero_()

    def probe(self, tail: int) -> Float[np.ndarray, "replicas val"]:
        """Train a short tail without mixing, score the validation split, and go back to where the training stood.

        Args:
            tail: length in epochs.

        Returns:
            The score of each validation sample of each replica, shape (R, v): the Brier score of classes.
        """
        with self.after_tail(tail), self._scored():
            return _on_host(self.evaluator.val_scores(self.model))

    @contextmanager
    def after_tail(self, tail: int, *, mixing: bool = False) -> Iterator[None]:
        """Train a tail, stand at its end for a while, and go back to where the training stood.

        The learning rate falls linearly to 0 along the tail, see :func:`overmix.switch.tail_factor`.

        Args:
            tail: length in epochs; 0 is none.
            mixing: whether it goes on mixing as the schedule says.
        """
        # A step of a tail counts in no look at the training's own loss.
        changed = [*self._trained(), self._floor_sum]
        saved = [tensor.clone() for tensor in changed]
        steps, begun = tail * self.steps_per_epoch, self.epoch * self.steps_per_epoch
        lr = self._lr[min(self.epoch, self.epochs - 1) * self.steps_per_epoch]
        self.model.train()
        for number in range(steps):
            at, step = divmod(number, self.steps_per_epoch)
            if step == 0:
                plan = self.planner.epoch(self.epoch + at, mixing=mixing)
            self._step(plan, step, lr * tail_factor(number, steps), begun + number)
        try:
            yield
        finally:
            for tensor, before in zip(changed, saved, strict=True):
                tensor.copy_(before)

    def _trained(self) -> list[Tensor]:
        """The tensors that a step changes."""
        parameters = [p.detach() for p in self.model.parameters.values()]
        return [*parameters, *self.model.buffers.values(), *self.moments, *self._averages()]

    def _averages(self) -> list[Tensor]:
        return [] if self.average is None else self.average.values

    def latest(self) -> dict[str, Float[np.ndarray, " replicas"]]:
        """Return the newest look at each metric, shape (R,); waits for the device. Empty before the first look."""
        at = int(np.searchsorted(self.evaluation_epochs, self.epoch, side="right")) - 1
        if at < 0:
            return {}
        return dict(zip(self.evaluator.columns, self._metrics[at].cpu().numpy(), strict=True))

    def result(self) -> StackResult:
        """Return what was seen so far, as copies on the host."""
        metrics = _on_host(self._metrics.permute(1, 2, 0))
        last_step = self.evaluation_epochs * self.steps_per_epoch - 1
        return StackResult(
            epochs=self.evaluation_epochs,
            metrics=dict(zip(self.evaluator.columns, metrics, strict=True)),
            mix_loss=_on_host(self._mix_loss.T),
            mix_floor=_on_host(self._mix_floor.T),
            mixing=_on_host(self._mixing.T),
            lr=_on_host(self._lr[torch.from_numpy(last_step).to(self._lr.device)].T),
            wrong=self._errors(),
            n_test=len(self.data.y_test),
            steps_per_epoch=self.steps_per_epoch,
            tracked=dict(zip(self.tracker.columns, _on_host(self._tracked.permute(1, 2, 0)), strict=True))
            if self.tracker
            else {},
            labels=self.data.labels,
        )

    def _errors(self) -> np.ndarray:
        errors = _on_host(self._wrong.permute(1, 0, 2))
        return np.packbits(errors, axis=-1) if errors.dtype == bool else errors

    def _tensors(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by name."""
        changing = {
            "loss_sum": self._loss_sum,
            "floor_sum": self._floor_sum,
            "metrics": self._metrics,
            "mix_loss": self._mix_loss,
            "mix_floor": self._mix_floor,
            "wrong": self._wrong,
            "mixing": self._mixing,
        }
        if self.tracker is not None:
            changing["tracked"] = self._tracked
        parameters = {f"parameter.{name}": p.detach() for name, p in self.model.parameters.items()}
        buffers = {f"buffer.{name}": b for name, b in self.model.buffers.items()}
        moments = {f"velocity.{i}": moment for i, moment in enumerate(self.moments)}
        averages = {f"average.{i}": tensor for i, tensor in enumerate(self._averages())}
        return {**changing, **parameters, **buffers, **moments, **averages}

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


def _check(replicas: Sequence[Replica], data: ResidentData, objective: Objective, epochs: int, batch_size: int) -> None:
    if epochs < 1:
        raise ConfigError("train.epochs", epochs, "use an integer >= 1")
    sizes = {(len(replica.train_index), len(replica.val_index)) for replica in replicas}
    if len(sizes) != 1:
        raise ConfigError("replicas", sorted(sizes), "give all replicas of a stack subsets of one size")
    train_size = sizes.pop()[0]
    if not 1 <= batch_size <= train_size:
        raise ConfigError("train.batch_size", batch_size, f"use 1 to {train_size}, the size of the training subset")
    total = epochs * (train_size // batch_size)
    for replica in replicas:
        check_needs(replica.recipe, data, objective)
        _check_schedule(replica.schedule, epochs, total)
    if any(not share_a_step(replica.recipe, replicas[0].recipe) for replica in replicas):
        raise ConfigError("replicas", len(replicas), "give a stack recipes that mix in one place, and by one loss")


def _check_schedule(schedule: Schedule, epochs: int, steps: int) -> None:
    """Refuse a point beyond the end, which would never come."""
    try:
        schedule.check(epochs, steps)
    except ConfigError as error:
        raise ConfigError(f"schedule.{error.field}", error.value, error.remedy) from None


def _check_normalization(normalization: Normalization, n_replicas: int, sample_dim: int) -> None:
    shape = tuple(normalization.mean.shape)
    if len(shape) != sample_dim or shape[0] != n_replicas or normalization.std.shape != shape:
        raise DataError(
            f"normalization: shape {shape}: give statistics of {n_replicas} replicas with {sample_dim - 1} more "
            "dimensions, those of a sample"
        )


def _on_host(tensor: Tensor) -> np.ndarray:
    """Return a copy: on the CPU, .numpy() alone would go on changing with the training."""
    return tensor.cpu().numpy().copy()


def _lr_table(replicas: Sequence[Replica], epochs: int, steps_per_epoch: int, device: torch.device) -> Tensor:
    """Return the learning rate of every step and replica, shape (epochs * S, R)."""
    columns = [replica.lr * replica.lr_schedule.factors(epochs, steps_per_epoch) for replica in replicas]
    return torch.as_tensor(np.stack(columns, axis=1), dtype=torch.float32, device=device)
