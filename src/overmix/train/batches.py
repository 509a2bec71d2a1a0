"""The batch of a step, mixed as the recipe mixes, and its loss: the recipe's own, or the plain one where it is off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from overmix._typing import Bool, Float, Int, Shaped
from overmix.mix import MixPlan, Objective, Recipe, gather_partners
from overmix.mix.capture import captured
from overmix.train.augment import CropFlip
from overmix.train.plan import AT_THE_STEP, EpochPlan
from overmix.train.resident import Labels, Normalization, ResidentData, gather_samples
from overmix.train.stacked_model import Bound, StackedModel


@dataclass(frozen=True)
class Batch:
    """What one step trains on.

    Args:
        x: what the models see, mixed if any replica mixes, shape (R, B', ...).
        clean: the samples alone, shape (R, B, ...).
        y: labels that are mixed; ``None`` where the epoch's plan has them.
        clean_y: labels of the samples alone.
        plan: how it is mixed; ``None`` where no replica mixes.
        on: which replicas mix, shape (R,), on the host.
        seeds: for modules with randomness of their own, shape (R,).
    """

    x: Float[Tensor, "replicas rows *sample"]
    clean: Float[Tensor, "replicas batch *sample"]
    y: Shaped[Tensor, "replicas batch *label"]
    clean_y: Shaped[Tensor, "replicas batch *label"]
    plan: MixPlan | None
    on: Bool[np.ndarray, " replicas"]
    seeds: Int[np.ndarray, " replicas"]


class Batches:
    """Makes the batches of a stack, and knows what is minimised on them.

    Off is the plain loss of the clean samples, for each replica, also where others of its stack mix. A recipe that only
    mixes, and linearly, is off where lam = 1, in the same pass; any other costs a second pass where some replicas of a
    stack are on and some off.

    Args:
        data: on the device.
        labels: as the replicas learn them, on the device.
        normalization: each replica's own.
        recipe: of all replicas, or one of several that only mix, in the same place.
        objective: what is minimised.
        augment: how samples are augmented, if they are.
    """

    def __init__(
        self,
        data: ResidentData,
        labels: Labels,
        normalization: Normalization,
        recipe: Recipe,
        objective: Objective,
        augment: CropFlip | None = None,
    ) -> None:
        self.data, self.labels, self.normalization = data, labels, normalization
        self.recipe, self.objective, self.augment = recipe, objective, augment
        self._at_the_step = recipe.needs & AT_THE_STEP
        self._seamless = recipe.only_mixes and recipe.space.is_linear
        self.plain_step = self._seamless and "hidden" not in recipe.needs

    def of(self, plan: EpochPlan, step: int, model: StackedModel) -> Batch:
        """Return the batch of one step of an epoch."""
        x = self.normalization.filled(self._samples(plan, step))
        on, seeds = plan.mixed[step], plan.seeds[step]
        y = self.labels.at(plan.index[step]) if plan.a is None else plan.a[step]
        if self._seamless and not self._at_the_step:
            # Scaled after mixing, which is the same, and lets the data stay as they were stored.
            mixing = None
            if on.any():
                mixing = plan.plans[step] or MixPlan(plan.partner[step], plan.lam[step])
                x = self.recipe.apply(mixing, x)
            x = self.normalization.apply_(x)
            return Batch(x, x, y, y, mixing, on, seeds)
        clean = self.normalization.apply_(x)
        if not on.any():
            return Batch(clean, clean, y, y, None, on, seeds)
        mixed_y, mixing = y, plan.plans[step]
        if mixing is None:
            mixed_y, mixing = self._planned(plan, step, clean, y, model)
        return Batch(self.recipe.apply(mixing, clean), clean, mixed_y, y, mixing, on, seeds)

    def loss(self, plan: EpochPlan, step: int, batch: Batch, model: StackedModel) -> Float[Tensor, " replicas"]:
        """Return the loss of each replica: the recipe's own, mapped over the stack with the models.

        That of a recipe that only mixes is the objective of both labels, which takes whole stacks by itself.
        """
        if batch.plan is None or self.plain_step:
            output = model(batch.x, batch.seeds)
            return self.objective.losses(output, *self.pair(plan, step, batch)).mean(-1)
        if self._seamless:
            return model.map(self._mixed, batch.x, batch.y, batch.plan, seeds=batch.seeds)
        return model.choose(
            batch.on,
            lambda bound, clean, clean_y, *mixed: self._mixed(bound, *mixed),
            lambda bound, clean, clean_y, *mixed: self._plain(bound, clean, clean_y),
            *(batch.clean, batch.clean_y, batch.x, batch.y, batch.plan),
            seeds=batch.seeds,
        )

    def pair(self, plan: EpochPlan, step: int, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return both labels of each sample and the weight of the first, for a step that the objective does itself."""
        if plan.a is not None and plan.b is not None:
            return plan.a[step], plan.b[step], plan.lam[step]
        if batch.plan is None:
            return batch.y, batch.y, plan.lam[step]
        return batch.y, gather_partners(batch.y, batch.plan.partner), batch.plan.lam

    def floors(self, batch: Batch) -> Float[Tensor, " replicas"]:
        """Return the mean over each replica's batch of what no model's loss is below."""
        if batch.plan is None:
            certain = torch.ones(batch.y.shape[:2], device=batch.y.device)
            return self.objective.floors(batch.y, batch.y, certain).mean(-1)
        floors: Tensor = vmap(lambda plan, y: self.recipe.floors(plan, y, self.objective))(batch.plan, batch.y)
        return floors.mean(-1)

    def _plain(self, model: Bound, x: Tensor, y: Tensor) -> Tensor:
        certain = torch.ones(y.shape[0], device=y.device)
        return self.objective.losses(model(x), y, y, certain).mean(-1)

    def _mixed(self, model: Bound, x: Tensor, y: Tensor, plan: MixPlan) -> Tensor:
        return self.recipe.mixed_loss(model, x, y, plan, self.objective)

    def _samples(self, plan: EpochPlan, step: int) -> Float[Tensor, "replicas batch *sample"]:
        """Return the samples of a step as floats: a copy, which may be written to."""
        index = plan.index[step]
        if self.augment is None or plan.augmentation is None:
            return gather_samples(self.data.x, index)
        # Bytes stay bytes until the last moment: there are four times as many of floats.
        flat = self.data.x.index_select(0, index.reshape(-1))
        flat = self.augment.apply(flat, plan.augmentation[step].reshape(-1, 3))
        return flat.view(*index.shape, *flat.shape[1:]).to(torch.float32)

    def _planned(
        self, plan: EpochPlan, step: int, clean: Tensor, y: Tensor, model: StackedModel
    ) -> tuple[Tensor, MixPlan]:
        """Return labels and plan that depend on what the model says of the clean batch, in evaluation mode."""
        draws = plan.draws[step]
        assert draws is not None  # some replica mixes
        where = torch.from_numpy(plan.mixed[step]).to(y.device, non_blocking=True)
        side = {} if self.data.domain is None else {"domain": self.data.domain[plan.index[step]]}
        model.eval()
        with torch.no_grad():
            if "predictions" in self._at_the_step:
                said = model.map(lambda bound, x: bound(x), clean, seeds=plan.seeds[step])
                relabelled = vmap(self.recipe.relabelled)(y, said)
                y = torch.where(where.view(-1, *[1] * (y.dim() - 1)), relabelled, y)
            if "features" in self._at_the_step:
                side["features"] = model.map(self._features, clean, seeds=plan.seeds[step])
        model.train()
        names, shape = list(side), tuple(clean.shape[2:])
        mixing: MixPlan = vmap(
            lambda drawn, labels, *given: self.recipe.plan(
                drawn, labels, sample_shape=shape, **dict(zip(names, given, strict=True))
            )
        )(draws, y, *side.values())
        return y, mixing.only_where(where.unsqueeze(1))

    def _features(self, model: Bound, x: Tensor) -> Float[Tensor, "batch features"]:
        with captured(model, self.recipe.feature_layer) as seen:
            model(x)
        return seen[0].flatten(1)
