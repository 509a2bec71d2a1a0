"""A fair comparison: every arm tuned with as many trials on held-out error, then the tuned arms compared on test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overmix.errors import ConfigError
from overmix.study.spec.default_compare import HELD_OUT
from overmix.study.spec.overrides import condition_parts
from overmix.study.spec.recipes import recipe_entry
from overmix.study.spec.roles import role_of
from overmix.study.spec.schema import ConditionSpec, StudySpec, TunedSpec

TRIAL_SEEDS = (1_000_000, 1_000_001, 1_000_002)
"""Seeds of the trials: none of the comparison's, whose luck must not have a say in what is compared."""

DECAY_GRID: Mapping[str, tuple[float, ...]] = {
    "sgd": (0.0, 2e-4, 5e-4, 1e-3, 5e-3, 1e-2),
    "adamw": (0.0, 0.01, 0.05, 0.1, 0.5, 1.0),
}
"""Weight decays that are tried, by optimizer; AdamW's acts once per step, times a smaller learning rate."""

ALPHAS = (0.2, 1.0)
"""Where a recipe has an alpha, it is tried with as many weight decays fewer."""

HALF = {"off_at": 0.5}
"""The free schedule, where the study has none of its own."""


@dataclass(frozen=True)
class TunedSetting:
    """One trial of an arm.

    Args:
        weight_decay: of the optimizer.
        alpha: of the recipe; None for recipes without one, and for plain training.
    """

    weight_decay: float
    alpha: float | None = None

    def __str__(self) -> str:
        alpha = "" if self.alpha is None else f"alpha {self.alpha:g}, "
        return f"{alpha}weight decay {self.weight_decay:g}"


@dataclass(frozen=True)
class Arm:
    """What is tuned: a recipe under a schedule.

    Args:
        name: shown in the report.
        recipe: as a study has it.
        schedule: likewise.
        settings: that are tried; as many for every arm.
    """

    name: str
    recipe: str | dict[str, Any]
    schedule: str | dict[str, Any]
    settings: tuple[TunedSetting, ...]

    def condition(self, setting: TunedSetting, name: str) -> ConditionSpec:
        """Return the condition that trains it so."""
        recipe = self.recipe
        if setting.alpha is not None:
            of, given = _named(recipe)
            recipe = {of: {**given, "alpha": setting.alpha}}
        train = {"optimizer": {"weight_decay": setting.weight_decay}}
        return ConditionSpec(name=name, recipe=recipe, schedule=self.schedule, train=train)


def arms_of(spec: StudySpec) -> tuple[Arm, ...]:
    """Return plain training, mixing to the end, mixing that is switched off, and that decides by itself.

    The study's own weight decay and alpha are among the settings of every arm.

    Raises:
        ConfigError: if no condition mixes.
    """
    by_role = {role_of(condition, spec): condition for condition in reversed(spec.compare)}  # the first of each
    mixing = by_role.get("mixup") or by_role.get("switched")
    if mixing is None:
        raise ConfigError("compare", len(spec.compare), "add a condition that mixes, such as {name: Mixup}")
    _, _, train = condition_parts(spec, mixing)
    decays = _with(DECAY_GRID[train.optimizer.name], train.optimizer.weight_decay)
    plain = tuple(TunedSetting(decay) for decay in decays)
    mixed = _mixed_settings(mixing, decays)
    recipe, name = mixing.recipe, mixing.recipe_name
    switched, auto = by_role.get("switched"), by_role.get("auto")
    schedule = switched.schedule if switched is not None else HALF
    off = (switched.name if switched is not None else "") or f"{name} → ERM @50%"
    return (
        Arm("ERM", "NoMixup", "never", plain),
        Arm(name, recipe, "always", mixed),
        Arm(off, recipe, schedule, mixed),
        Arm(f"{name} → ERM (auto)", recipe, auto.schedule if auto is not None else "auto", mixed),
    )


def _mixed_settings(mixing: ConditionSpec, decays: Sequence[float]) -> tuple[TunedSetting, ...]:
    default = recipe_entry(mixing.recipe_name).defaults.get("alpha")
    own = mixing.recipe_parameters.get("alpha", default)
    if not isinstance(own, int | float) or not 0 < own < math.inf:
        return tuple(TunedSetting(decay) for decay in decays)
    alphas = _with(ALPHAS, float(own))
    fewer = decays[:: len(alphas)]
    return tuple(TunedSetting(decay, alpha) for alpha in alphas for decay in fewer)


def _named(recipe: str | dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return (recipe, {}) if isinstance(recipe, str) else (next(iter(recipe)), dict(next(iter(recipe.values())) or {}))


def _with(grid: Sequence[float], own: float) -> tuple[float, ...]:
    """Return a grid that has the study's own value first, in the place of the nearest, so that all arms try it."""
    rest = list(grid)
    rest.remove(
        0.0 if own == 0 else min((value for value in rest if value), key=lambda value: abs(math.log(value / own)))
    )
    return (own, *rest)


def fair_trials(spec: StudySpec) -> StudySpec:
    """Return the study of all trials of all arms.

    Args:
        spec: the study; the first of its conditions that mixes and overrides nothing is taken.

    Raises:
        ConfigError: if no condition mixes.
    """
    conditions = [arm.condition(setting, f"{arm.name}, {setting}") for arm in arms_of(spec) for setting in arm.settings]
    update = {"name": f"{spec.name}: trials", "compare": tuple(conditions), "seeds": list(TRIAL_SEEDS)}
    return _holding_out(spec).model_copy(update=update)


def fair_study(spec: StudySpec, tuned: Sequence[TunedSpec]) -> StudySpec:
    """Return the study that compares the tuned arms.

    Args:
        spec: the study that the trials were made from.
        tuned: what was chosen, by arm.
    """
    arms = {arm.name: arm for arm in arms_of(spec)}
    conditions = [arms[one.arm].condition(TunedSetting(one.weight_decay, one.alpha), one.arm) for one in tuned]
    update = {"name": f"{spec.name}: tuned alike", "compare": tuple(conditions), "tuned": tuple(tuned)}
    return _holding_out(spec).model_copy(update=update)


def untuned(spec: StudySpec) -> list[TunedSpec]:
    """Return each arm as if its first setting had been chosen: to plan with, as all settings cost the same."""
    firsts = [(arm, arm.settings[0]) for arm in arms_of(spec)]
    return [tuned_arm(arm, setting, held_out_error=0.0) for arm, setting in firsts]


def tuned_arm(arm: Arm, setting: TunedSetting, held_out_error: float) -> TunedSpec:
    """Return the record of a choice."""
    return TunedSpec(
        arm=arm.name,
        weight_decay=setting.weight_decay,
        alpha=setting.alpha,
        trials=len(arm.settings),
        seeds=len(TRIAL_SEEDS),
        held_out_error=held_out_error,
        decays=tuple(sorted({tried.weight_decay for tried in arm.settings})),
        alphas=tuple(sorted({tried.alpha for tried in arm.settings if tried.alpha is not None})),
    )


def _holding_out(spec: StudySpec) -> StudySpec:
    if spec.data.val_size:
        return spec
    return spec.model_copy(update={"data": spec.data.model_copy(update={"val_size": HELD_OUT})})
