"""What a condition is in the comparison: plain training, Mixup all along, Mixup switched off, or something else."""

from __future__ import annotations

from overmix.diagnose import Role
from overmix.recipes import NoMixup
from overmix.study.recipes import build_recipe
from overmix.study.spec import ConditionSpec, StudySpec, condition_parts
from overmix.switch import Always, Never, OffAt, make_schedule


def role_of(condition: ConditionSpec, spec: StudySpec) -> Role:
    """Return the role of a condition.

    A condition that overrides data, model or training is ``"other"``: what sets it apart is then not the mixing.
    """
    data, model, train = condition_parts(spec, condition)
    if (data, model, train) != (spec.data, spec.model, spec.train):
        return "other"
    schedule = make_schedule(condition.schedule)
    off = schedule.epoch(train.epochs) if isinstance(schedule, OffAt) else None
    recipe = build_recipe(condition.recipe_name, **condition.recipe_parameters)
    if isinstance(recipe, NoMixup) or isinstance(schedule, Never) or off == 0 or _alpha_is_zero(condition):
        return "erm"
    if isinstance(schedule, Always) or (off is not None and off >= train.epochs):
        return "mixup"
    return "switched" if off is not None else "other"


def switch_epoch_of(condition: ConditionSpec, epochs: int) -> int | None:
    """Return the number of epochs that are mixed before the switch, if the schedule has one."""
    schedule = make_schedule(condition.schedule)
    return schedule.epoch(epochs) if isinstance(schedule, OffAt) else None


def _alpha_is_zero(condition: ConditionSpec) -> bool:
    return condition.recipe_parameters.get("alpha") == 0
