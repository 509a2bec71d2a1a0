"""What a study file may write under ``schedule``: a fixed schedule, or a policy that decides by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from overmix.errors import ConfigError, did_you_mean
from overmix.import_path import import_attribute
from overmix.switch.by_step import OffAtStep, OnFromStep
from overmix.switch.gradual import Fade, Hesitation, LinearDecay, OnFrom
from overmix.switch.held_out import HeldOut
from overmix.switch.policies import registered_policies
from overmix.switch.policy import Policy
from overmix.switch.schedule import Schedule, always, never, off_at

Named: TypeAlias = Schedule | Policy | HeldOut

_ALONE: dict[str, Callable[[], Schedule]] = {"always": always, "never": never}
_WITH_VALUE: dict[str, tuple[Callable[[Any], Schedule], str]] = {
    "off_at": (off_at, "128"),
    "on_from": (OnFrom, "0.5"),
    "off_at_step": (OffAtStep, "2000"),
    "on_from_step": (OnFromStep, "2000"),
}
_WITH_SETTINGS = {"fade": Fade, "linear_decay": LinearDecay, "hesitation": Hesitation}

REMEDY = (
    "use one of: always, never, auto, fade, linear_decay, hesitation, {off_at: 128}, {off_at: 0.5}, {on_from: 0.5}, "
    "{off_at_step: 2000}, {on_from_step: 2000}, another policy by its name, or module:Policy of your own"
)


def schedule_name(specification: str | Mapping[str, Any]) -> str:
    """Return the name in a specification: ``"auto"`` of ``{"auto": {"tail": 0.05}}``."""
    return specification if isinstance(specification, str) else str(next(iter(specification), ""))


def make_schedule(specification: str | Mapping[str, Any]) -> Named:
    """Return the schedule or the policy that a study file names; a policy with ``holdout`` decides in a run of its own.

    Args:
        specification: ``"always"``, ``"never"``, ``{"off_at": 128}`` or ``{"on_from": 0.5}``, both in optimizer steps
            as well (``{"off_at_step": 2000}``), ``"fade"``, ``"linear_decay"``, ``"hesitation"``, a registered policy
            (``"auto"``), or one of your own (``"my_module:MyPolicy"``, which runs that module's code). All but the
            first four may have settings: ``{"auto": {"tail": 0.05}}``, ``{"auto": {"holdout": 0.2}}``.

    Raises:
        ConfigError: for an unknown name, with the nearest known one, or a value that cannot work.

    Example:
        >>> make_schedule({"off_at": 128})
        OffAt(when=128)
        >>> make_schedule({"linear_decay": {"start": 0.5}})
        LinearDecay(start=0.5, end=1.0)
        >>> make_schedule("patience")
        Patience(signal='score', split='val', patience=0.5, rewind=True)
    """
    if isinstance(specification, str):
        return _from_name(specification)
    if not isinstance(specification, Mapping) or len(specification) != 1:
        raise ConfigError("schedule", specification, REMEDY)
    name, value = next(iter(specification.items()))
    if name in _ALONE:
        raise ConfigError("schedule", specification, f"write {name} alone: it takes no value")
    if name in _WITH_VALUE:
        return _WITH_VALUE[name][0](value)
    return _from_settings(_class_of(name), name, value)


def _from_name(name: str) -> Schedule | Policy:
    if name in _ALONE:
        return _ALONE[name]()
    if name in _WITH_VALUE:
        raise ConfigError("schedule", name, f"give it a value: {{{name}: {_WITH_VALUE[name][1]}}}")
    return _made(_class_of(name), name, {})


def _class_of(name: Any) -> type[Schedule] | type[Policy]:
    """Return the class that takes settings under a name; the module of an import path is imported."""
    known: dict[str, Any] = {**_WITH_SETTINGS, **registered_policies()}
    if name in known:
        return known[name]  # type: ignore[no-any-return]
    if ":" not in str(name):
        raise ConfigError("schedule", name, did_you_mean(str(name), [*_ALONE, *_WITH_VALUE, *known]))
    kind: Any = import_attribute(name, field="schedule", form="module:Policy, such as my_policies:MyPolicy")
    fits = isinstance(kind, type) and issubclass(kind, Schedule | Policy) and dataclasses.is_dataclass(kind)
    if not fits:
        raise ConfigError("schedule", name, "make it a frozen dataclass that inherits from overmix.switch.Policy")
    return kind  # type: ignore[no-any-return]


def _from_settings(kind: type[Schedule] | type[Policy], name: str, settings: Any) -> Named:
    decides = issubclass(kind, Policy)
    known = [*_fields(kind), *(["holdout"] if decides else [])]
    if not isinstance(settings, Mapping):
        raise ConfigError(name, settings, f"write {name} alone, or with settings: {', '.join(known)}")
    for key, value in settings.items():
        if key not in known:
            raise ConfigError(f"{name}.{key}", value, f"unknown key, {did_you_mean(str(key), known)}")
    made = _made(kind, name, {key: value for key, value in settings.items() if key != "holdout"})
    return HeldOut(made, settings["holdout"]) if "holdout" in settings and isinstance(made, Policy) else made


def _made(kind: type[Schedule] | type[Policy], name: str, settings: Mapping[str, Any]) -> Schedule | Policy:
    try:
        return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()})
    except TypeError as error:
        raise ConfigError(name, dict(settings), f"use numbers ({error})") from None


def _fields(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]
