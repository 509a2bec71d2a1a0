"""Data, model and training of one condition: those of the study, with the condition's own laid over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from overmix.study.spec.parts import with_name
from overmix.study.spec.schema import ConditionSpec, DataSpec, ModelSpec, StudySpec
from overmix.study.spec.training import TrainSpec
from overmix.study.spec.validation import as_config_error, condition_label


def condition_parts(spec: StudySpec, condition: ConditionSpec) -> tuple[DataSpec, ModelSpec, TrainSpec]:
    """Return data, model and training of one condition, its overrides merged in.

    Raises:
        ConfigError: if an override cannot work.
    """
    where = condition_label(condition.model_dump(), 0)
    parts: list[Any] = []
    for key, base in (("data", spec.data), ("model", spec.model), ("train", spec.train)):
        override: Mapping[str, Any] = getattr(condition, key)
        try:
            parts.append(type(base).model_validate(_overridden(base, override)) if override else base)
        except ValidationError as error:
            raise as_config_error(error, type(base), override, prefix=f"{where}.{key}") from None
    return parts[0], parts[1], parts[2]


def _overridden(base: DataSpec | ModelSpec | TrainSpec, override: Mapping[str, Any]) -> dict[str, Any]:
    content = base.model_dump()
    if isinstance(base, DataSpec | ModelSpec) and override.get("name", base.name) != base.name:
        # Another data set or model does not take the options of this one.
        content = {key: value for key, value in content.items() if key not in base.options}
    shorthand = {
        key: with_name(value) if isinstance(content.get(key), dict) else value for key, value in override.items()
    }
    if isinstance(base, TrainSpec) and _other_optimizer(base, shorthand.get("optimizer")):
        del content["optimizer"]
    return merged(content, shorthand)


def _other_optimizer(base: TrainSpec, override: Any) -> bool:
    return isinstance(override, Mapping) and override.get("name", base.optimizer.name) != base.optimizer.name


def merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``override`` laid over it, mappings within mappings key by key.

    Example:
        >>> merged({"optimizer": {"lr": 0.1, "momentum": 0.9}}, {"optimizer": {"lr": 0.2}})
        {'optimizer': {'lr': 0.2, 'momentum': 0.9}}
    """
    result = dict(base)
    for key, value in override.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return result
