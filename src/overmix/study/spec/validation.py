"""Turns what pydantic found into one line that names field, value and remedy, for people who do not know pydantic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from overmix.errors import ConfigError, did_you_mean

_MISSING = object()


def as_config_error(error: ValidationError, model: type[BaseModel], content: Any, prefix: str = "") -> ConfigError:
    """Return the first thing that is wrong, unknown keys first: a misspelt key is often why others look wrong.

    Args:
        error: what pydantic raised.
        model: the model that was validated.
        content: what the user wrote.
        prefix: where the user wrote it.
    """
    errors = error.errors(include_url=False)
    first: Mapping[str, Any] = next((item for item in errors if item["type"] == "extra_forbidden"), errors[0])
    field = _field_name(first["loc"], content, prefix)
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        known = (_model_at(model, first["loc"][:-1]) or model).model_fields
        return ConfigError(field, first["input"], f"unknown key, {did_you_mean(key, known)}")
    return ConfigError(field, first["input"], _remedy(first, _field_at(model, first["loc"])))


@contextmanager
def within(where: str) -> Iterator[None]:
    """Say where an error's field stands, if not at the top: ``recipe`` becomes ``compare[Mixup].recipe``."""
    try:
        yield
    except ConfigError as error:
        field = f"{where}.{error.field}" if where else error.field
        raise ConfigError(field, error.value, error.remedy) from None


def condition_label(entry: Any, number: int) -> str:
    """Return how errors call an entry of ``compare``: by its name, if it has one, or by its number from 0."""
    recipe = entry.get("recipe", "") if isinstance(entry, Mapping) else ""
    by_recipe = next(iter(recipe), "") if isinstance(recipe, Mapping) else recipe
    name = (entry.get("name") if isinstance(entry, Mapping) else "") or by_recipe
    return f"compare[{name if isinstance(name, str) and name else number}]"


def _field_name(location: Sequence[int | str], content: Any, prefix: str) -> str:
    """Return where the user wrote the value: pydantic's location without the names of types it went through."""
    name, parent = prefix, ""
    for part in location:
        inner = _inner(content, part)
        if inner is _MISSING:
            continue  # the name of a branch of a union, or of a key that a default stands for
        if isinstance(part, int):
            name = condition_label(inner, part) if parent == "compare" else f"{name}[{part}]"
        else:
            name = f"{name}.{part}" if name else part
        content, parent = inner, str(part)
    return name or "study"


def _inner(content: Any, part: int | str) -> Any:
    if isinstance(part, int):
        return content[part] if isinstance(content, list | tuple) and part < len(content) else _MISSING
    return content[part] if isinstance(content, Mapping) and part in content else _MISSING


def _remedy(item: Mapping[str, Any], field: FieldInfo | None) -> str:
    """Return what to write instead; a field whose values are of several kinds says it in its own words."""
    extra = field.json_schema_extra if field is not None else None
    if isinstance(extra, dict) and "remedy" in extra:
        return str(extra["remedy"])
    kind, limits, value = item["type"], item.get("ctx", {}), item["input"]
    if kind == "value_error":
        return str(limits["error"])
    if kind == "literal_error":
        choices = [str(choice) for choice in _literals(field)]
        return did_you_mean(value, choices) if isinstance(value, str) else f"use one of: {', '.join(choices)}"
    for name, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
        if name in limits:
            limit = float(limits[name])
            return f"use a number {sign} {int(limit) if limit.is_integer() and limit < 1e15 else limit}"
    if kind in ("int_type", "float_type") and _is_number(value):
        return "write it without quotes"
    message = str(item["msg"])
    return _REMEDIES.get(kind, message[0].lower() + message[1:])


_MAPPING = "write keys with values, {key: value}, or leave it out"
_REMEDIES = {
    "int_type": "use a whole number",
    "int_from_float": "use a whole number",
    "float_type": "use a number",
    "finite_number": "use a finite number",
    "bool_type": "use true or false",
    "string_type": "use text, in quotes if it looks like something else",
    "string_too_short": "write at least one character",
    "string_too_long": "use fewer characters",
    "too_long": "give fewer",
    "too_short": "give at least one",
    "list_type": "write a list, [a, b]",
    "tuple_type": "write a list, [a, b]",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
}


def _is_number(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _literals(field: FieldInfo | None) -> tuple[Any, ...]:
    return get_args(field.annotation) if field is not None else ()


def _model_at(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel] | None:
    """Return the model whose keys stand at a location."""
    current: type[BaseModel] | None = model
    for part in location:
        if current is not None and isinstance(part, str) and part in current.model_fields:
            current = _model_of(current.model_fields[part].annotation)
    return current


def _field_at(model: type[BaseModel], location: Sequence[int | str]) -> FieldInfo | None:
    """Return the last field on the way to a location."""
    field, current = None, model
    for part in location:
        if isinstance(part, str) and part in current.model_fields:
            field = current.model_fields[part]
            current = _model_of(field.annotation) or current
    return field


def _model_of(annotation: Any) -> type[BaseModel] | None:
    # list[int] counts as a type before Python 3.11.
    if get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_of(argument) for argument in get_args(annotation))
    return next((model for model in inner if model is not None), None)
