"""What a condition is in the comparison: plain training, Mixup all along, Mixup switched off, or something else."""

from __future__ import annotations

from overmix.diagnose import Role
from overmix.recipes import NoMixup
from overmix.study.spec.named import NamedSchedule
from overmix.study.spec.overrides import condition_parts
from overmix.study.spec.recipes import build_recipe
from overmix.study.spec.schema import ConditionSpec, DataSpec, ModelSpec, StudySpec
from overmix.study.spec.training import TrainSpec

_Setting = tuple[DataSpec, ModelSpec, TrainSpec]


def roles_of(spec: StudySpec) -> list[Role]:
    """Return the role of every condition of a study.

    They are judged in the setting (data, model, training) of the study itself or, if every condition overrides it, in
    that of the first. Where each was tuned, its weight decay is no part of the setting.
    """
    settings = [condition_parts(spec, condition) for condition in spec.compare]
    of_study: _Setting = (spec.data, spec.model, spec.train)
    if spec.tuned:
        of_study, *settings = (_without_decay(setting) for setting in (of_study, *settings))
    reference = of_study if of_study in settings else settings[0]
    return [_role(condition, setting, reference) for condition, setting in zip(spec.compare, settings, strict=True)]


def _without_decay(setting: _Setting) -> _Setting:
    data, model, train = setting
    optimizer = train.optimizer.model_copy(update={"weight_decay": 0.0})
    return data, model, train.model_copy(update={"optimizer": optimizer})


def role_of(condition: ConditionSpec, spec: StudySpec) -> Role:
    """Return the role of a condition in the setting of the study itself.

    A condition that overrides data, model or training is ``"other"``: what sets it apart is then not the mixing.
    """
    return _role(condition, condition_parts(spec, condition), (spec.data, spec.model, spec.train))


def _role(condition: ConditionSpec, setting: _Setting, reference: _Setting) -> Role:
    if setting != reference:
        return "other"
    epochs = setting[2].epochs
    mixed = switch_epoch_of(condition, epochs)
    recipe = build_recipe(condition.recipe_name, **condition.recipe_parameters)
    if isinstance(recipe, NoMixup) or mixed == 0 or _alpha_is_zero(condition):
        return "erm"
    if NamedSchedule(condition.schedule).decides:
        return "auto"
    if mixed is None:
        return "other"
    return "mixup" if mixed == epochs else "switched"


def switch_epoch_of(condition: ConditionSpec, epochs: int) -> int | None:
    """Return the number of epochs that are mixed before the switch; None if the schedule does not say it."""
    return NamedSchedule(condition.schedule).mixed_epochs(epochs)


def _alpha_is_zero(condition: ConditionSpec) -> bool:
    return condition.recipe_parameters.get("alpha") == 0
