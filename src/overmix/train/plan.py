"""The plan of one epoch: which samples, mixed with which, how much, for every step and replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Bool, Float, Int
from overmix.mix import Draws, InputSpace, MixPlan, Need, Recipe, StreamCursor, Streams
from overmix.switch import Progress, Schedule, mixes
from overmix.train.augment import CropFlip
from overmix.train.lr_schedule import LRSchedule
from overmix.train.resident import Labels

AT_THE_STEP: frozenset[Need] = frozenset({"features", "predictions"})
"""What only the model of the moment can say: recipes that need it are planned step by step."""


@dataclass(frozen=True)
class Replica:
    """One training run: everything that may differ between the runs of a stack.

    Args:
        streams: where its random numbers come from.
        recipe: how it mixes.
        schedule: when it mixes.
        train_index: its training subset, indices into the pool, shape (n,), int64.
        val_index: its validation split, shape (v,), perhaps empty.
        lr: learning rate.
        lr_schedule: the factor on it.
        weight_decay: coefficient of the squared norm's gradient.
    """

    streams: Streams
    recipe: Recipe
    schedule: Schedule
    train_index: Int[np.ndarray, " train"]
    val_index: Int[np.ndarray, " val"]
    lr: float
    lr_schedule: LRSchedule
    weight_decay: float


@dataclass(frozen=True)
class EpochPlan:
    """One epoch of a stack, on the device.

    Args:
        index: samples of each step, indices into the pool, shape (S, R, B).
        partner: their partners' places in their own batch, same shape; their own where nothing is mixed.
        lam: weight of the samples themselves, same shape.
        a: classes of the samples, same shape; ``None`` for labels that are no classes, or not known yet.
        b: classes of their partners, likewise.
        dropout_keys: shape (S, R), int64; zeros if nothing in the model asks for them.
        seeds: the same numbers on the host, for modules with randomness of their own.
        mixed: which replicas mix at each step, shape (S, R), on the host, so that no step has to ask the device.
        plans: where partner and lam do not say it all, per step what the recipe needs to know, shapes (R, B, ...);
            ``None`` where no replica mixes.
        draws: for recipes that are planned at the step itself, the raw numbers of each step, shapes (R, B, ...).
        augmentation: ``(top, left, flip)`` of each sample, shape (S, R, B, 3); ``None`` if samples are not augmented.
    """

    index: Int[Tensor, "steps replicas batch"]
    partner: Int[Tensor, "steps replicas batch"]
    lam: Float[Tensor, "steps replicas batch"]
    a: Int[Tensor, "steps replicas batch"] | None
    b: Int[Tensor, "steps replicas batch"] | None
    dropout_keys: Int[Tensor, "steps replicas"]
    seeds: Int[np.ndarray, "steps replicas"]
    mixed: Bool[np.ndarray, "steps replicas"]
    plans: tuple[MixPlan | None, ...]
    draws: tuple[Draws | None, ...]
    augmentation: Int[Tensor, "steps replicas batch 3"] | None = None

    @property
    def mixing(self) -> Float[np.ndarray, " replicas"]:
        """Share of the steps that each replica mixes, shape (R,), on the host."""
        share: np.ndarray = self.mixed.mean(axis=0)
        return share


class Planner:
    """Plans epochs for a stack of replicas, on the CPU, from addressed random numbers.

    Recipes that look at what the model says of a batch are planned at the step itself: their numbers are drawn here.

    Args:
        replicas: the runs of the stack, whose recipes mix in one place and by one loss.
        labels: on the CPU, as the replicas learn them, for pairings that look at labels.
        sample_shape: shape of one sample.
        epochs: length of the training.
        batch_size: B.
        device: where the plans are sent, in one copy per epoch.
        domain: where each sample of the pool comes from, shape (N,), on the CPU, if that is known.
        keys: whether anything in the model draws random numbers by itself, and so needs keys and seeds.
        augment: how samples are augmented, if they are.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        labels: Labels,
        sample_shape: tuple[int, ...],
        epochs: int,
        batch_size: int,
        device: torch.device,
        *,
        domain: Int[Tensor, " pool"] | None = None,
        keys: bool = True,
        augment: CropFlip | None = None,
    ) -> None:
        self.replicas = replicas
        self.cursors = [StreamCursor(replica.streams) for replica in replicas]
        self.labels, self.domain = labels, domain
        self.sample_shape, self.device = sample_shape, device
        self._draws_keys, self.augment = keys, augment
        self.epochs, self.batch_size = epochs, batch_size
        recipe = replicas[0].recipe
        self.at_the_step = bool(recipe.needs & AT_THE_STEP)
        self._keeps_plans = type(recipe.space) is not InputSpace or not recipe.only_mixes
        self._classes = labels.classes if recipe.only_mixes and not self.at_the_step else None
        # The last, incomplete batch is dropped: batches of one size stack, and BatchNorm never sees a lone sample.
        self.steps_per_epoch = len(replicas[0].train_index) // batch_size

    def epoch(self, epoch: int, *, mixing: bool = True) -> EpochPlan:
        """Return the plan of a zero-based epoch; with ``mixing=False`` the same samples, and none of them mixed."""
        steps, batch = self.steps_per_epoch, self.batch_size
        shape = (steps, len(self.replicas), batch)
        # NumPy, not PyTorch: what is written here is small, and PyTorch's overhead per call would be most of the time.
        index = np.empty(shape, dtype=np.int64)
        seeds = np.zeros(shape[:2], dtype=np.int64)
        mixed = np.zeros(shape[:2], dtype=bool)
        for r, (replica, cursor) in enumerate(zip(self.replicas, self.cursors, strict=True)):
            order = cursor.generator("order", epoch=epoch).permutation(replica.train_index)[: steps * batch]
            index[:, r] = order.reshape(steps, batch)
            if self._draws_keys:
                seeds[:, r] = cursor.generator("dropout", epoch=epoch).integers(2**63, size=steps)
            for step in range(steps):
                mixed[step, r] = mixing and mixes(replica.schedule, self._progress(epoch, step), cursor)
        draws: tuple[Draws | None, ...] = (None,) * steps
        plans: tuple[MixPlan | None, ...] = (None,) * steps
        if self.at_the_step:
            draws = tuple(self._draws(epoch, step) if mixed[step].any() else None for step in range(steps))
        elif self._keeps_plans:
            plans = tuple(self._stacked(index[step], mixed[step], epoch, step) for step in range(steps))
        partner, lam = self._pairs(index, mixed, plans, epoch)
        places = self._sent(partner)
        a = None if self._classes is None else self._sent(self._classes[index])
        return EpochPlan(
            index=self._sent(index),
            partner=places,
            lam=self._sent(lam),
            a=a,
            b=None if a is None else a.gather(2, places),
            dropout_keys=self._sent(seeds),
            seeds=seeds,
            mixed=mixed,
            plans=tuple(None if plan is None else plan.to(self.device) for plan in plans),
            draws=draws,
            augmentation=None if self.augment is None else self._sent(self._crops(self.augment, epoch)),
        )

    def _sent(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)

    def _progress(self, epoch: int, step: int) -> Progress:
        return Progress(epoch, self.epochs, step, steps=epoch * self.steps_per_epoch + step)

    def _crops(self, augment: CropFlip, epoch: int) -> Int[np.ndarray, "steps replicas batch 3"]:
        steps = range(self.steps_per_epoch)
        return np.stack(
            [
                [augment.draw(cursor, self.batch_size, epoch=epoch, step=step) for cursor in self.cursors]
                for step in steps
            ]
        )

    def _batch_plan(self, r: int, index: Int[np.ndarray, " batch"], epoch: int, step: int) -> MixPlan:
        recipe, at = self.replicas[r].recipe, torch.from_numpy(index)
        draws = recipe.draw(self.cursors[r], self.batch_size, epoch=epoch, step=step)
        domain = None if self.domain is None else self.domain[at]
        return recipe.plan(draws, self.labels.alone(r, at), sample_shape=self.sample_shape, domain=domain)

    def _draws(self, epoch: int, step: int) -> Draws:
        drawn = [
            replica.recipe.draw(cursor, self.batch_size, epoch=epoch, step=step)
            for replica, cursor in zip(self.replicas, self.cursors, strict=True)
        ]
        return Draws.stack(drawn).to(self.device)

    def _pairs(
        self,
        index: Int[np.ndarray, "steps replicas batch"],
        mixed: Bool[np.ndarray, "steps replicas"],
        plans: Sequence[MixPlan | None],
        epoch: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return partner and lam of every sample: all that there is to know where no further plan is kept."""
        partner = np.broadcast_to(np.arange(index.shape[2]), index.shape).copy()
        lam = np.ones(index.shape, dtype=np.float32)
        for step, kept in enumerate(plans):
            if kept is not None:
                partner[step], lam[step] = kept.partner.numpy(), kept.lam.numpy()
        if not self.at_the_step and not self._keeps_plans:
            for step, r in np.argwhere(mixed).tolist():
                plan = self._batch_plan(r, index[step, r], epoch, step)
                partner[step, r], lam[step, r] = plan.partner.numpy(), plan.lam.numpy()
        return partner, lam

    def _stacked(
        self,
        index: Int[np.ndarray, "replicas batch"],
        mixed: Bool[np.ndarray, " replicas"],
        epoch: int,
        step: int,
    ) -> MixPlan | None:
        """Return the plan of a step, with lam = 1 for replicas that do not mix; ``None`` if none of them does."""
        if not mixed.any():
            return None
        every = [self._batch_plan(r, batch, epoch, step) for r, batch in enumerate(index)]
        return MixPlan.stack([p.only_where(torch.tensor([bool(on)])) for p, on in zip(every, mixed, strict=True)])
