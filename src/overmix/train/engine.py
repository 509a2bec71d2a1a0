"""The engine: trains a stack of replicas as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.mix import MixPlan, Recipe
from overmix.switch import Schedule, tail_factor
from overmix.train.augment import CropFlip
from overmix.train.average import Average
from overmix.train.evaluation import METRICS, Evaluator, evaluation_epochs
from overmix.train.objective import CrossEntropy, Objective
from overmix.train.optimizer import SGD, Optimizer
from overmix.train.perceptron import perceptron_step
from overmix.train.plan import EpochPlan, Planner, Replica
from overmix.train.resident import Normalization, ResidentData, gather
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
        objective: what is minimised, by default the cross-entropy.
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
        _check(replicas, epochs, batch_size)
        _check_normalization(normalization, len(replicas), data.x.dim())
        sample_shape = tuple(data.x.shape[1:])
        if augment is not None:
            augment.check(sample_shape)
        device = data.y.device
        self.data, self.normalization, self.optimizer, self.epochs = data, normalization, optimizer, epochs
        self.objective = objective or CrossEntropy()
        seeds = [replica.streams.torch_seed("init") for replica in replicas]
        self.model = StackedModel(factory, seeds, device, execution)
        self.moments = optimizer.init(self.model.trainable)
        weights = [*self.model.parameters.values(), *self.model.buffers.values()]
        self.average = None if average is None else Average(weights, average)
        self.planner = Planner(
            replicas,
            data.y.cpu(),
            sample_shape,
            epochs,
            batch_size,
            device,
            keys=self.model.draws,
            augment=augment,
        )
        self.space = self.planner.space
        self._mixes_inside = "hidden" in self.space.needs
        self.space.check_model(self.model.base)
        self.evaluator = Evaluator(
            data,
            normalization,
            torch.as_tensor(np.stack([r.train_index for r in replicas]), device=device),
            torch.as_tensor(np.stack([r.val_index for r in replicas]), device=device),
        )
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
        self._metrics = torch.full((count, len(METRICS), n_replicas), torch.nan, device=device)
        self._mix_loss = torch.full((count, n_replicas), torch.nan, device=device)
        self._mix_floor = torch.full((count, n_replicas), torch.nan, device=device)
        self._wrong = torch.zeros((count, n_replicas, len(self.data.y_test)), dtype=torch.bool, device=device)
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
        lam, mixing = plan.lam[step], None
        x, partners = self._samples(plan, step)
        if partners is not None:
            mixing = plan.plans[step] or MixPlan(plan.partner[step], lam)
            x = self.space.combine(mixing, x, partners)
        x = self.normalization.apply_(x)
        if self.model.uses_dropout:
            self.model.set_dropout_keys(plan.dropout_keys[step])
        target = plan.a[step], plan.b[step], lam
        layers = self.model.perceptron
        inside = (self.space, mixing) if self._mixes_inside and mixing is not None else None
        optimizer = self.optimizer
        if layers is not None and inside is None and isinstance(optimizer, SGD) and not optimizer.nesterov:
            return perceptron_step(
                x,
                lambda logits: self.objective.with_gradient(logits, *target),
                layers,
                self.moments,
                optimizer,
                lr,
                self._weight_decay,
            )
        losses = self.objective.losses(self.model(x, plan.seeds[step], inside), *target)
        # One mean per replica; their sum gives each replica the gradient of its own loss.
        return self._general_step(losses.mean(dim=-1), lr)

    def _samples(self, plan: EpochPlan, step: int) -> tuple[Tensor, Tensor | None]:
        """Return the samples of a step as floats, shape (R, B, ...), and their partners, if any replica mixes."""
        index, mixed = plan.index[step], plan.mixed_steps[step]
        if self.planner.augment is None or plan.augmentation is None:
            return gather(self.data.x, index), gather(self.data.x, plan.partner[step]) if mixed else None
        # Bytes stay bytes until the last moment: there are four times as many of floats.
        flat = self.data.x.index_select(0, index.reshape(-1))
        flat = self.planner.augment.apply(flat, plan.augmentation.draws[step].reshape(-1, 3))
        samples = flat.view(*index.shape, *flat.shape[1:]).to(torch.float32)
        return samples, gather(flat, plan.augmentation.partner[step]) if mixed else None

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
        if self.evaluation_epochs[at] == self.epoch:
            with self._scored():
                metrics, wrong = self.evaluator(self.model)
                if self.tracker is not None:
                    self._tracked[at] = self.tracker(self.model)
            self._metrics[at] = metrics
            self._wrong[at] = wrong
            self._mix_loss[at] = self._loss_sum / self.steps_per_epoch
            self._mix_floor[at] = self.objective.floors(plan.a, plan.b, plan.lam).mean(dim=(0, 2))
            self._mixing[at] = torch.from_numpy(plan.mixing)
        self._loss_sum.zero_()

    def probe(self, tail: int) -> Float[np.ndarray, "replicas val"]:
        """Train a short tail without mixing, score the validation split, and go back to where the training stood.

        The learning rate falls linearly to 0 along the tail, see :func:`overmix.switch.tail_factor`.

        Args:
            tail: length in epochs.

        Returns:
            The Brier score of each validation sample of each replica, shape (R, v).
        """
        saved = [tensor.clone() for tensor in self._trained()]
        steps, begun = tail * self.steps_per_epoch, self.epoch * self.steps_per_epoch
        lr = self._lr[min(self.epoch, self.epochs - 1) * self.steps_per_epoch]
        self.model.train()
        for number in range(steps):
            at, step = divmod(number, self.steps_per_epoch)
            if step == 0:
                plan = self.planner.epoch(self.epoch + at, mixing=False)
            self._step(plan, step, lr * tail_factor(number, steps), begun + number)
        with self._scored():
            brier = _on_host(self.evaluator.val_brier(self.model))
        for tensor, before in zip(self._trained(), saved, strict=True):
            tensor.copy_(before)
        return brier

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
        return dict(zip(METRICS, self._metrics[at].cpu().numpy(), strict=True))

    def result(self) -> StackResult:
        """Return what was seen so far, as copies on the host."""
        metrics = _on_host(self._metrics.permute(1, 2, 0))
        last_step = self.evaluation_epochs * self.steps_per_epoch - 1
        return StackResult(
            epochs=self.evaluation_epochs,
            metrics=dict(zip(METRICS, metrics, strict=True)),
            mix_loss=_on_host(self._mix_loss.T),
            mix_floor=_on_host(self._mix_floor.T),
            mixing=_on_host(self._mixing.T),
            lr=_on_host(self._lr[torch.from_numpy(last_step).to(self._lr.device)].T),
            wrong=np.packbits(_on_host(self._wrong.permute(1, 0, 2)), axis=-1),
            n_test=len(self.data.y_test),
            steps_per_epoch=self.steps_per_epoch,
            tracked=dict(zip(self.tracker.columns, _on_host(self._tracked.permute(1, 2, 0)), strict=True))
            if self.tracker
            else {},
        )

    def _tensors(self) -> dict[str, Tensor]:
        """Every tensor that training changes, by name."""
        own = {
            "loss_sum": self._loss_sum,
            "metrics": self._metrics,
            "mix_loss": self._mix_loss,
            "mix_floor": self._mix_floor,
            "wrong": self._wrong,
            "mixing": self._mixing,
        }
        if self.tracker is not None:
            own["tracked"] = self._tracked
        parameters = {f"parameter.{name}": p.detach() for name, p in self.model.parameters.items()}
        buffers = {f"buffer.{name}": b for name, b in self.model.buffers.items()}
        moments = {f"velocity.{i}": moment for i, moment in enumerate(self.moments)}
        averages = {f"average.{i}": tensor for i, tensor in enumerate(self._averages())}
        return {**own, **parameters, **buffers, **moments, **averages}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state after the last step, as copies on the CPU. No random state: plans have addresses."""
        tensors = {name: tensor.cpu().clone() for name, tensor in self._tensors().items()}
        return {**tensors, "progress": torch.tensor([self.epoch, self.step])}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a saved state.

        Raises:
            OvermixError: if the state is of another stack.
        """
        own = self._tensors()
        for name, tensor in own.items():
            if name not in state or state[name].shape != tensor.shape:
                found = tuple(state[name].shape) if name in state else None
                raise OvermixError(
                    f"state: {name} has shape {found}, not {tuple(tensor.shape)}: it is of another study"
                )
        for name, tensor in own.items():
            tensor.copy_(state[name])
        self.epoch, self.step = (int(value) for value in state["progress"])


def _check(replicas: Sequence[Replica], epochs: int, batch_size: int) -> None:
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
        check_recipe(replica.recipe)
        _check_schedule(replica.schedule, epochs, total)
    if any(replica.recipe.space != replicas[0].recipe.space for replica in replicas):
        raise ConfigError("replicas", len(replicas), "give a stack recipes that mix in one place")


def _check_schedule(schedule: Schedule, epochs: int, steps: int) -> None:
    """Refuse a point beyond the end, which would never come."""
    try:
        schedule.check(epochs, steps)
    except ConfigError as error:
        raise ConfigError(f"schedule.{error.field}", error.value, error.remedy) from None


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that the engine, which minimises the loss of mixed classes, would silently do otherwise.

    Raises:
        ConfigError: if it has a loss of its own, or needs more than a batch of samples with classes.
    """
    if not recipe.is_composition or recipe.needs - {"hidden"}:
        raise ConfigError(
            "recipe", type(recipe).__name__, "train it in a loop of your own: a study trains recipes that only mix"
        )


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
