"""Turns what pydantic found into one line that names field, value and remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from overmix.errors import ConfigError, did_you_mean


def as_config_error(error: ValidationError, model: type[BaseModel], prefix: str = "") -> ConfigError:
    """Return the first thing that is wrong, unknown keys first: a misspelt key is often why others look wrong."""
    found = error.errors(include_url=False, include_context=False)
    first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])
    location = [str(part) for part in first["loc"] if not _is_union_branch(str(part))]
    field = ".".join([prefix, *location] if prefix else location)
    if first["type"] == "extra_forbidden":
        remedy = f"unknown key, {did_you_mean(location[-1], _keys(model, first['loc']))}"
        return ConfigError(field, first["input"], remedy)
    message = first["msg"].removeprefix("Value error, ")
    return ConfigError(field or "study", first["input"], message[0].lower() + message[1:])


def check_options(
    part: str,
    name: str,
    options: Mapping[str, Any],
    known: Iterable[str] | None,
    defaults: Callable[[str], Mapping[str, Any]],
) -> None:
    """Refuse an unknown name or an option that the named thing does not take.

    Raises:
        ConfigError: naming the nearest known name.
    """
    if known is not None and name not in known:
        raise ConfigError(f"{part}.name", name, did_you_mean(name, known))
    taken = defaults(name)
    for option, value in options.items():
        if option not in taken:
            remedy = did_you_mean(option, taken) if taken else f"{name} takes no options"
            raise ConfigError(f"{part}.{option}", value, f"unknown key, {remedy}")


def _is_union_branch(part: str) -> bool:
    """Pydantic names the branch of a union in the location; the user never wrote it."""
    return part in {"int", "float", "str", "constrained-int"} or part.startswith(("dict[", "tuple[", "literal["))


def _keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are known where an unknown one stood."""
    current: type[BaseModel] | None = model
    for part in location[:-1]:
        if isinstance(part, int) or current is None or part not in current.model_fields:
            continue
        current = _model_of(current.model_fields[part].annotation)
    return list((current or model).model_fields)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_of(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)
