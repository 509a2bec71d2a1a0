"""What recipes and objectives need of the data, and which recipes can be trained as one stack."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from overmix.errors import ConfigError, OvermixError
from overmix.mix import (
    CrossEntropy,
    Objective,
    PartlyLabelled,
    Recipe,
    SelfPairing,
    Streams,
    make_objective,
    usual_objective,
)
from overmix.train.plan import AT_THE_STEP, Replica
from overmix.train.resident import ResidentData

MOST_ERROR_BYTES = 1 << 30
"""Where errors of test samples are no bits, at most so much of them is kept for each stack: 4 bytes for each look of
each replica at each sample."""


def check_needs(recipe: Recipe, data: ResidentData, objective: Objective) -> None:
    """Refuse a recipe that the data do not have the labels or the side information for, and try one that they have.

    Args:
        recipe: it is planned, and its loss computed, on four samples.
        data: what is trained on.
        objective: what is minimised.

    Raises:
        ConfigError: naming the recipe, and what is missing.
    """
    name, needs, fits = type(recipe).__name__, recipe.needs, data.labels in recipe.for_labels
    if type(recipe).objective is not Recipe.objective:
        raise ConfigError("recipe", name, "say its loss in mixed_loss: objective(...) is what calls it")
    if "modalities" in needs:
        raise ConfigError("recipe", name, "train it in a loop of your own: a study's models have one modality")
    if "domain" in needs and data.domain is None:
        raise ConfigError(
            "recipe",
            name,
            "it needs the domain of each sample: name the column (data.domain), or give the npz an array domain",
        )
    if "views" in needs and not fits:
        raise ConfigError("recipe", name, "it needs a second view of each sample: give the npz an array view")
    if data.labels == "views" and not fits:
        raise ConfigError("recipe", name, "use MixCo or BiMixCo: the labels are second views, which are not mixed")
    if not fits:
        raise ConfigError("recipe", name, f"it is for {' or '.join(recipe.for_labels)}: the labels are {data.labels}")
    if not data.labelled.all() and "predictions" not in needs and not mixes_nothing(recipe):
        raise ConfigError("recipe", name, "use ConfidentMixup: some samples have no label, and would be mixed with")
    recipe.space.check_samples(tuple(data.x.shape[1:]))
    _try(recipe, data, objective)


def _try(recipe: Recipe, data: ResidentData, objective: Objective) -> None:
    """Plan a few samples, and compute their loss for outputs that are all 0, where neither needs to see the model."""
    few = slice(0, 4)
    x, y = data.x[few].cpu().to(torch.float32), data.y[few].cpu()
    domain = None if data.domain is None else data.domain[few].cpu()
    if recipe.needs & AT_THE_STEP:
        return
    try:
        with warnings.catch_warnings():
            # Losses that broadcast outputs against labels of another shape only warn.
            warnings.simplefilter("error", UserWarning)
            plan = recipe.plan(recipe.draw(Streams(), len(y)), y, sample_shape=tuple(x.shape[1:]), domain=domain)
            if "hidden" not in recipe.needs:
                mixed = recipe.apply(plan, x)
                recipe.mixed_loss(lambda batch: torch.zeros(len(batch), data.num_classes), mixed, y, plan, objective)
    except OvermixError as error:
        raise ConfigError("recipe", type(recipe).__name__, f"it does not work on these samples ({error})") from None
    except (RuntimeError, ValueError, IndexError, TypeError, UserWarning) as error:
        why = str(error).partition("\n")[0]
        raise ConfigError("recipe", type(recipe).__name__, f"it does not work on these labels ({why})") from None


def mixes_nothing(recipe: Recipe) -> bool:
    """Return whether every sample is its own partner, as in plain training; one of several recipes may well mix."""
    return isinstance(getattr(recipe, "pairing", None), SelfPairing)


def objective_for(data: ResidentData, objective: Objective | None = None) -> Objective:
    """Return what is minimised on these labels, the usual if nothing is asked for.

    Raises:
        ConfigError: if the objective is for labels of another kind.
    """
    objective = objective or make_objective(usual_objective(data.labels))
    if data.labels not in objective.labels:
        usual = usual_objective(data.labels)
        raise ConfigError("train.objective", _snake(objective), f"use {usual}: the labels are {data.labels}")
    if data.labelled.all():
        return objective
    if not isinstance(objective, CrossEntropy):
        raise ConfigError("train.objective", _snake(objective), "use cross_entropy: some samples have no label")
    return PartlyLabelled()


def _snake(objective: Objective) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", type(objective).__name__).lower()


def labelled_index(replicas: Sequence[Replica], data: ResidentData) -> Tensor:
    """Return each replica's training samples that have a label, shape (R, n)."""
    known = data.labelled.cpu().numpy()
    index = [replica.train_index[known[replica.train_index]] for replica in replicas]
    if len({len(samples) for samples in index}) != 1 or not len(index[0]):
        raise ConfigError("replicas", len(index), "give all replicas of a stack equally many labelled samples, >= 1")
    return torch.as_tensor(np.stack(index), device=data.y.device)


def error_type(data: ResidentData, looks: int, n_replicas: int) -> torch.dtype:
    """Return what the error of a test sample is kept as: one bit if it is right or wrong, else a float."""
    if data.labels == "classes":
        return torch.bool
    size = 4 * looks * n_replicas * len(data.y_test)
    if size > MOST_ERROR_BYTES:
        raise ConfigError(
            "data.test_size",
            len(data.y_test),
            f"test on fewer samples: their errors would take {size >> 20} MiB, and at most "
            f"{MOST_ERROR_BYTES >> 20} MiB are kept",
        )
    return torch.float32


def stays_apart(recipe: Recipe) -> bool:
    """Return whether a recipe shares a stack with none but its like, because of its loss or of what it asks the model.

    Example:
        >>> from overmix.recipes import Mixup, RegMixup
        >>> stays_apart(Mixup()), stays_apart(RegMixup())
        (False, True)
    """
    return not recipe.only_mixes or bool(recipe.needs & AT_THE_STEP)


def share_a_step(one: Recipe, other: Recipe) -> bool:
    """Return whether two recipes can be one stack's."""
    if not stays_apart(one) and not stays_apart(other):
        return one.space == other.space
    return type(one) is type(other) and vars(one) == vars(other)
