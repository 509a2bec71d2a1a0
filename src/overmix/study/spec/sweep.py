"""The search for the best switch, as a study made from a user's study."""

from __future__ import annotations

from overmix.errors import ConfigError
from overmix.study.spec.overrides import condition_parts
from overmix.study.spec.roles import role_of
from overmix.study.spec.schema import ConditionSpec, StudySpec
from overmix.switch.held_out import SHARE

_SHARES = (1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4)
"""Switch epochs, as shares of the training."""

WEIGHT_DECAY = {"sgd": 5e-3, "adamw": 0.5}
"""Of the alternative that only regularises, by optimizer: AdamW's acts once per step, times a smaller learning rate."""


_AVERAGE = 0.99
"""Share of the old average at each step, of the alternative that averages weights: over some hundred steps."""


def sweep_study(spec: StudySpec) -> StudySpec:
    """Return the study that switches a study's Mixup condition off at every epoch of a log grid.

    Beside the grid it has ERM, Mixup to the end, the condition that decides by itself (on the validation split, or on a
    part of the training samples if there is none), and what else might help at equal steps or fewer: weight decay with
    and without Mixup, averaged weights, and a training half as long.

    Args:
        spec: the study; the first of its conditions that mixes and overrides nothing is taken.

    Raises:
        ConfigError: if no condition mixes.
    """
    mixing = next((c for c in spec.compare if role_of(c, spec) in ("mixup", "switched")), None)
    if mixing is None:
        raise ConfigError("compare", len(spec.compare), "add a condition that mixes, such as {name: Mixup}")
    _, _, train = condition_parts(spec, mixing)
    recipe, name = mixing.recipe, mixing.recipe_name
    epochs = sorted({max(1, round(share * train.epochs)) for share in _SHARES} - {train.epochs})
    half = max(1, train.epochs // 2)
    strength = WEIGHT_DECAY[train.optimizer.name]
    decay = {"optimizer": {"weight_decay": strength}}
    conditions = [
        ConditionSpec(name="ERM", recipe="NoMixup", schedule="never"),
        ConditionSpec(name=name, recipe=recipe),
        *(ConditionSpec(name=f"{name} → ERM @{at}", recipe=recipe, schedule={"off_at": at}) for at in epochs),
        ConditionSpec(name=f"ERM, weight decay {strength:g}", recipe="NoMixup", schedule="never", train=decay),
        ConditionSpec(name=f"{name}, weight decay {strength:g}", recipe=recipe, train=decay),
        ConditionSpec(name=f"{name}, averaged weights", recipe=recipe, train={"average": _AVERAGE}),
        ConditionSpec(name=f"{name}, {half} epochs", recipe=recipe, train={"epochs": half}),
    ]
    auto = "auto" if spec.data.val_size else {"auto": {"holdout": SHARE}}
    conditions.insert(2, ConditionSpec(name=f"{name} → ERM (auto)", recipe=recipe, schedule=auto))
    return spec.model_copy(update={"name": f"{spec.name}: where to switch", "compare": tuple(conditions)})
