"""What the parts of a study file have in common: unknown keys are errors, values are never silently converted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


def remedy(text: str) -> dict[str, Any]:
    """Say in one's own words what a value of several kinds may be."""
    return {"remedy": text}


def with_name(value: Any) -> Any:
    """Let ``mlp`` stand for ``{name: mlp}``."""
    return {"name": value} if isinstance(value, str) else value


def with_own_keys(part: type[BaseModel], value: Any, kinds: Mapping[str, Mapping[str, Any]], usual: str) -> Any:
    """Fill in the defaults of the kind that a part names, and refuse keys that only other kinds take."""
    name = value.get("name", usual) if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in kinds:
        return value
    defaults = kinds[name]
    for key in value.keys() & part.model_fields.keys() - defaults.keys() - {"name"}:
        raise ValueError(f"{name} takes no {key}: give it {', '.join(sorted(defaults))}")
    return {**defaults, **value}


class Strict(BaseModel):
    """A part of a study file: unknown keys are errors, values are never silently converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class WithOptions(BaseModel):
    """A part whose further keys are options of what it names; they are checked against that."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def options(self) -> dict[str, Any]:
        """Options of what is named."""
        return dict(self.__pydantic_extra__ or {})
