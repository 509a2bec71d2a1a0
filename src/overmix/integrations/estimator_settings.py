"""The settings of the scikit-learn estimators: what they may be, and what mixes until when by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import torch

from overmix.errors import ConfigError, did_you_mean
from overmix.mix import LabelKind, Recipe
from overmix.real_numbers import is_real
from overmix.recipes import make_recipe, registered
from overmix.switch import AutoSwitch, Policy, Schedule, always, never, off_at
from overmix.switch.settings import whole_number

_SWITCHES: dict[str, Callable[[], Schedule | Policy]] = {"auto": AutoSwitch, "always": always, "never": never}

MixUntil: TypeAlias = tuple[Recipe, Schedule | Policy]
"""What mixes, and until when."""


def checked_settings(estimator: Any, labels: LabelKind) -> MixUntil:
    """Refuse settings that cannot work before anything is learned, and return what mixes until when.

    Args:
        estimator: with the parameters of its constructor as attributes.
        labels: what it is for.

    Raises:
        ConfigError: naming the first of them.
    """
    for name in ("epochs", "batch_size"):
        whole_number(name, getattr(estimator, name))
    if not _is_finite(estimator.learning_rate) or not estimator.learning_rate > 0:
        raise ConfigError("learning_rate", estimator.learning_rate, "use a positive number")
    if not _is_finite(estimator.weight_decay) or not estimator.weight_decay >= 0:
        raise ConfigError("weight_decay", estimator.weight_decay, "use a number >= 0")
    if not _is_finite(estimator.validation_fraction) or not 0 < estimator.validation_fraction < 1:
        raise ConfigError("validation_fraction", estimator.validation_fraction, "use a share of the samples in (0, 1)")
    sizes = estimator.hidden_layer_sizes
    widths = sizes.tolist() if isinstance(sizes, np.ndarray) else sizes  # of no dimension it is a number
    several = isinstance(widths, Sequence) and not isinstance(widths, str)
    if not several or not all(_is_whole(width) and width >= 1 for width in widths):
        remedy = "use the width of each hidden layer, integers >= 1, such as (16,)"
        raise ConfigError("hidden_layer_sizes", sizes, remedy)
    _check_device(estimator.device)
    return _recipe(estimator.mix, labels), _switch(estimator.switch, int(estimator.epochs))


def mixes_to_the_end(recipe: Recipe, switch: Schedule | Policy) -> bool:
    """Whether the policy decides so without a look at held-out samples."""
    return isinstance(switch, AutoSwitch) and not switch.anywhere and bool(recipe.off_doubt)


def _recipe(mix: object, labels: LabelKind) -> Recipe:
    if isinstance(mix, str) and mix not in registered():
        made = {name: make_recipe(name) for name in registered()}
        raise ConfigError("mix", mix, did_you_mean(mix, [name for name in made if not _misfit(made[name], labels)]))
    recipe = make_recipe(mix) if isinstance(mix, str) else mix
    if not isinstance(recipe, Recipe):
        raise ConfigError("mix", mix, 'give a recipe or its name, "Mixup"')
    if misfit := _misfit(recipe, labels):
        raise ConfigError("mix", mix, misfit)
    return recipe


def _misfit(recipe: Recipe, labels: LabelKind) -> str:
    """Return why an estimator cannot train with a recipe, and what to use in its place; nothing if it can."""
    # What mixes inside of a model finds its layers in the network, and a batch may be of any size there.
    if needs := recipe.needs - {"hidden", "clean"}:
        return f"use one that needs samples and labels alone: it needs {', '.join(sorted(needs))}"
    if labels not in recipe.for_labels:
        return f"use one for {labels}: it is for {' or '.join(recipe.for_labels)}"
    return ""


def _switch(switch: object, epochs: int) -> Schedule | Policy:
    if isinstance(switch, str):
        if switch not in _SWITCHES:
            raise ConfigError("switch", switch, f"use one of {', '.join(_SWITCHES)}, an epoch or a share")
        return _SWITCHES[switch]()
    if isinstance(switch, int | float | np.number):
        return _off_at(switch.item() if isinstance(switch, np.number) else switch, epochs)
    if isinstance(switch, Schedule | Policy) and not isinstance(switch, type):
        return switch
    raise ConfigError("switch", switch, 'use "auto", an epoch (128), a share (0.5), or a schedule')


def _off_at(switch: float, epochs: int) -> Schedule:
    try:
        schedule = off_at(switch)
        schedule.check(epochs, None)
    except ConfigError as error:
        raise ConfigError("switch", switch, error.remedy) from None  # the name that the user wrote
    return schedule


def _check_device(device: object) -> None:
    if not isinstance(device, str | torch.device):
        raise ConfigError("device", device, 'name one, such as "cpu"')
    try:
        kind = torch.empty(0, device=device).device.type
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError("device", device, f'use one that this machine has, such as "cpu": {reason}') from None
    if kind == "meta":
        raise ConfigError("device", device, 'nothing is computed there: use "cpu" or "cuda"')


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_finite(value: object) -> TypeGuard[float]:
    return is_real(value) and isfinite(value)
