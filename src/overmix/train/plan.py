"""The plan of one epoch: which samples, mixed with which, how much, for every step and replica."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Bool, Float, Int
from overmix.mix import InputSpace, MixPlan, Recipe, StreamCursor, Streams
from overmix.switch import Progress, Schedule, mixes
from overmix.train.augment import Augmentation, CropFlip
from overmix.train.lr_schedule import LRSchedule


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
        partner: their partners' indices into the pool, same shape.
        lam: weight of the samples themselves, same shape.
        a: classes of the samples, same shape.
        b: classes of their partners, same shape.
        dropout_keys: shape (S, R), int64; zeros if nothing in the model asks for them.
        seeds: the same numbers on the host, for modules with randomness of their own.
        mixed_steps: per step whether any replica mixes; known on the host, so that a step that mixes nothing gathers
            no partners.
        mixing: share of the steps that each replica mixes, shape (R,), on the host.
        plans: for spaces other than the input, per step what the space needs to know, shapes (R, B, ...); ``None``
            where no replica mixes.
        augmentation: how the samples are augmented; ``None`` if they are not.
    """

    index: Int[Tensor, "steps replicas batch"]
    partner: Int[Tensor, "steps replicas batch"]
    lam: Float[Tensor, "steps replicas batch"]
    a: Int[Tensor, "steps replicas batch"]
    b: Int[Tensor, "steps replicas batch"]
    dropout_keys: Int[Tensor, "steps replicas"]
    seeds: Int[np.ndarray, "steps replicas"]
    mixed_steps: tuple[bool, ...]
    mixing: Float[np.ndarray, " replicas"]
    plans: tuple[MixPlan | None, ...]
    augmentation: Augmentation | None = None


class Planner:
    """Plans epochs for a stack of replicas, on the CPU, from addressed random numbers.

    Args:
        replicas: the runs of the stack.
        y: classes of the whole pool, shape (N,), on the CPU, for pairings that look at labels.
        sample_shape: shape of one sample.
        epochs: length of the training.
        batch_size: B.
        device: where the plans are sent, in one copy per epoch.
        keys: whether anything in the model draws random numbers by itself, and so needs keys and seeds.
        augment: how samples are augmented, if they are.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        y: Int[Tensor, " pool"],
        sample_shape: tuple[int, ...],
        epochs: int,
        batch_size: int,
        device: torch.device,
        *,
        keys: bool = True,
        augment: CropFlip | None = None,
    ) -> None:
        self.replicas = replicas
        self.cursors = [StreamCursor(replica.streams) for replica in replicas]
        self.y, self.sample_shape, self.device = y, sample_shape, device
        self._y = y.numpy()
        self._draws_keys, self.augment = keys, augment
        self.epochs, self.batch_size = epochs, batch_size
        self.space = replicas[0].recipe.space
        self._keeps_plans = type(self.space) is not InputSpace
        # The last, incomplete batch is dropped: batches of one size stack, and BatchNorm never sees a lone sample.
        self.steps_per_epoch = len(replicas[0].train_index) // batch_size

    def epoch(self, epoch: int, *, mixing: bool = True) -> EpochPlan:
        """Return the plan of a zero-based epoch; with ``mixing=False`` the same samples, and none of them mixed."""
        steps, batch = self.steps_per_epoch, self.batch_size
        shape = (steps, len(self.replicas), batch)
        # NumPy, not PyTorch: what is written here is small, and PyTorch's overhead per call would be most of the time.
        index = np.empty(shape, dtype=np.int64)
        partner = np.empty(shape, dtype=np.int64)
        lam = np.ones(shape, dtype=np.float32)
        seeds = np.zeros(shape[:2], dtype=np.int64)
        mixed = np.zeros(shape[:2], dtype=bool)
        # Where each partner stands in the stack's batch; at first everyone is their own.
        own_place = np.arange(shape[1] * batch).reshape(shape[1:])
        place = None if self.augment is None else np.broadcast_to(own_place, shape).copy()
        for r, (replica, cursor) in enumerate(zip(self.replicas, self.cursors, strict=True)):
            order = cursor.generator("order", epoch=epoch).permutation(replica.train_index)[: steps * batch]
            index[:, r] = partner[:, r] = order.reshape(steps, batch)
            if self._draws_keys:
                seeds[:, r] = cursor.generator("dropout", epoch=epoch).integers(2**63, size=steps)
            for step in range(steps):
                mixed[step, r] = mixing and mixes(replica.schedule, self._progress(epoch, step), cursor)
        plans: list[MixPlan | None] = []
        for step, mixed_now in enumerate(mixed):
            # Where only labels and a weight say it all, no further plan is kept.
            own = (
                [
                    self._batch_plan(r, index[step, r], epoch, step) if mixed_now[r] or self._keeps_plans else None
                    for r in range(len(self.replicas))
                ]
                if mixed_now.any()
                else []
            )
            for r, plan in enumerate(own):
                if plan is not None and mixed_now[r]:
                    partner[step, r] = index[step, r][plan.partner.numpy()]
                    if place is not None:
                        place[step, r] = own_place[r][plan.partner.numpy()]
                    lam[step, r] = plan.lam.numpy()
            plans.append(self._stacked(own, mixed_now) if own and self._keeps_plans else None)
        return EpochPlan(
            index=torch.from_numpy(index).to(self.device, non_blocking=True),
            partner=torch.from_numpy(partner).to(self.device, non_blocking=True),
            lam=torch.from_numpy(lam).to(self.device, non_blocking=True),
            a=torch.from_numpy(self._y[index]).to(self.device, non_blocking=True),
            b=torch.from_numpy(self._y[partner]).to(self.device, non_blocking=True),
            dropout_keys=torch.from_numpy(seeds).to(self.device, non_blocking=True),
            seeds=seeds,
            mixed_steps=tuple(bool(step.any()) for step in mixed),
            mixing=mixed.mean(axis=0),
            plans=tuple(plans),
            augmentation=None
            if self.augment is None or place is None
            else self._augmentation(self.augment, place, epoch),
        )

    def _progress(self, epoch: int, step: int) -> Progress:
        return Progress(epoch, self.epochs, step, steps=epoch * self.steps_per_epoch + step)

    def _augmentation(
        self, augment: CropFlip, place: Int[np.ndarray, "steps replicas batch"], epoch: int
    ) -> Augmentation:
        draws = np.empty((*place.shape, 3), dtype=np.int64)
        for r, cursor in enumerate(self.cursors):
            for step in range(self.steps_per_epoch):
                draws[step, r] = augment.draw(cursor, self.batch_size, epoch=epoch, step=step)
        return Augmentation(
            torch.from_numpy(draws).to(self.device, non_blocking=True),
            torch.from_numpy(place).to(self.device, non_blocking=True),
        )

    def _batch_plan(self, r: int, index: Int[np.ndarray, " batch"], epoch: int, step: int) -> MixPlan:
        recipe = self.replicas[r].recipe
        draws = recipe.draw(self.cursors[r], self.batch_size, epoch=epoch, step=step)
        return recipe.plan(draws, torch.from_numpy(self._y[index]), sample_shape=self.sample_shape)

    def _stacked(self, plans: Sequence[MixPlan | None], mixed: Bool[np.ndarray, " replicas"]) -> MixPlan:
        own = [plan.only_where(torch.tensor([bool(on)])) for plan, on in zip(plans, mixed, strict=True) if plan]
        return MixPlan.stack(own).to(self.device)
