"""What a study file may write under ``schedule``: a fixed schedule, or a policy that decides by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from overmix.errors import ConfigError, did_you_mean
from overmix.switch.by_step import OffAtStep, OnFromStep
from overmix.switch.gradual import Hesitation, LinearDecay, OnFrom
from overmix.switch.held_out import HeldOut
from overmix.switch.policies import AutoSwitch
from overmix.switch.policy import Policy
from overmix.switch.schedule import Schedule, always, never, off_at

Made = TypeVar("Made")

_ALONE: dict[str, Callable[[], Schedule]] = {"always": always, "never": never}
_WITH_VALUE: dict[str, tuple[Callable[[Any], Schedule], str]] = {
    "off_at": (off_at, "128"),
    "on_from": (OnFrom, "0.5"),
    "off_at_step": (OffAtStep, "2000"),
    "on_from_step": (OnFromStep, "2000"),
}
_WITH_SETTINGS: dict[str, type[Schedule] | type[Policy]] = {
    "auto": AutoSwitch,
    "linear_decay": LinearDecay,
    "hesitation": Hesitation,
}

REMEDY = (
    "use one of: always, never, auto, linear_decay, hesitation, {off_at: 128}, {off_at: 0.5}, {on_from: 0.5}, "
    "{off_at_step: 2000}, {on_from_step: 2000}"
)


def make_schedule(specification: str | Mapping[str, Any]) -> Schedule | Policy | HeldOut:
    """Return the schedule or the policy that a study file names; a policy with ``holdout`` decides in a run of its own.

    Args:
        specification: ``"always"``, ``"never"``, ``"auto"``, ``"linear_decay"``, ``"hesitation"``, the last three also
            with settings (``{"auto": {"tail": 0.05}}``, ``{"auto": {"holdout": 0.2}}``), ``{"off_at": 128}`` or
            ``{"on_from": 0.5}``, and both in batches: ``{"off_at_step": 2000}``, ``{"on_from_step": 2000}``.

    Raises:
        ConfigError: for an unknown name, with the nearest known one, or a value that cannot work.

    Example:
        >>> make_schedule({"off_at": 128})
        OffAt(when=128)
        >>> make_schedule({"linear_decay": {"start": 0.5}})
        LinearDecay(start=0.5, end=1.0)
    """
    if isinstance(specification, str):
        return _from_name(specification)
    if isinstance(specification, Mapping) and len(specification) == 1:
        name, value = next(iter(specification.items()))
        if name in _ALONE:
            raise ConfigError("schedule", specification, f"write {name} alone: it takes no value")
        if name in _WITH_VALUE:
            return _WITH_VALUE[name][0](value)
        if name in _WITH_SETTINGS:
            return _with_settings(name, value)
        raise ConfigError("schedule", name, did_you_mean(str(name), [*_ALONE, *_WITH_VALUE, *_WITH_SETTINGS]))
    raise ConfigError("schedule", specification, REMEDY)


def _from_name(name: str) -> Schedule | Policy:
    if name in _ALONE:
        return _ALONE[name]()
    if name in _WITH_SETTINGS:
        return _WITH_SETTINGS[name]()
    if name in _WITH_VALUE:
        raise ConfigError("schedule", name, f"give it a value: {{{name}: {_WITH_VALUE[name][1]}}}")
    raise ConfigError("schedule", name, did_you_mean(name, [*_ALONE, *_WITH_VALUE, *_WITH_SETTINGS]))


def _with_settings(name: str, settings: Any) -> Schedule | Policy | HeldOut:
    if name == "auto" and isinstance(settings, Mapping) and "holdout" in settings:
        others = {key: value for key, value in settings.items() if key != "holdout"}
        return HeldOut(_from_settings(AutoSwitch, name, others), settings["holdout"])
    return _from_settings(_WITH_SETTINGS[name], name, settings)


def _from_settings(kind: type[Made], name: str, settings: Any) -> Made:
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    known += ["holdout"] if kind is AutoSwitch else []
    if not isinstance(settings, Mapping):
        raise ConfigError(name, settings, f"write {name} alone, or with settings: {', '.join(known)}")
    for key, value in settings.items():
        if key not in known:
            raise ConfigError(f"{name}.{key}", value, f"unknown key, {did_you_mean(str(key), known)}")
    try:
        return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()})
    except TypeError as error:
        raise ConfigError(name, dict(settings), f"use numbers ({error})") from None
