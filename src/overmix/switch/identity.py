"""What a run is: the settings that a resumed one must share, each under its name."""

from __future__ import annotations

import dataclasses
import re
from hashlib import sha256
from types import MethodType
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from overmix.mix import Recipe
from overmix.mix.remembered import one_spelling, said

_SETTINGS = (bool, int, float, complex, str, tuple, list, Tensor)

_SHOWN = 20  # numbers of a tensor; more of them are told apart by a digest


def settings_by_name(name: str, part: Any) -> dict[str, str]:
    """Return all settings of a part of a run as text: of recipes and dataclasses each parameter, however deep.

    Args:
        name: of the part, as the user writes it.
        part: a recipe, recipes one after another, a schedule, or a policy.

    Example:
        >>> from overmix.recipes import Mixup
        >>> settings_by_name("mix", Mixup(alpha=0.4))
        {'mix': 'Mixup', 'mix.alpha': '0.4', 'mix.per': "'batch'", 'mix.masks': 'None'}
    """
    if isinstance(part, tuple):
        inside: dict[str, Any] = {f"{name}[{number}]": value for number, value in enumerate(part)}
        return {name: f"{len(part)} parts", **_all(inside)}
    if isinstance(part, dict):
        inside = {f"{name}[{key!r}]": value for key, value in sorted(part.items(), key=repr)}
        return {name: f"{len(part)} parts", **_all(inside)}
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        # Every field, also those that its repr leaves out.
        fields = {f"{name}.{field.name}": _value_of(field, part) for field in dataclasses.fields(part)}
        return {name: type(part).__name__, **_all(fields)}
    if isinstance(part, Recipe):
        return {name: type(part).__name__, **_all({f"{name}.{key}": value for key, value in part.settings.items()})}
    if isinstance(part, nn.Module):
        # A criterion of PyTorch's, whose repr leaves out how it reduces and where it bends.
        public = {key: value for key, value in sorted(vars(part).items()) if key[0] != "_" and key != "training"}
        # Weights of classes; in a module of another kind buffers may change as it trains.
        weights = dict(part.named_buffers()) if isinstance(part, _Loss) else {}
        return {
            name: without_addresses(repr(part)),
            **_all({f"{name}.{key}": value for key, value in (public | weights).items()}),
        }
    if isinstance(part, Tensor):
        return {name: _numbers_of(part)}
    if isinstance(part, MethodType):
        return {name: said(part), **_held(name, part.__self__)}
    if callable(part) and not hasattr(part, "__qualname__"):
        return {name: without_addresses(said(part)), **_held(name, part)}
    return {name: without_addresses(said(part))}


def _held(name: str, part: object) -> dict[str, str]:
    """Return the numbers, names and tensors that a callable object holds: what else it knows may be anything."""
    held = sorted(getattr(part, "__dict__", {}).items())
    settings = {key: value for key, value in held if isinstance(value, _SETTINGS) and key != "training"}
    return {
        f"{name}.{key}": _numbers_of(value) if isinstance(value, Tensor) else without_addresses(repr(value))
        for key, value in settings.items()
    }


def _value_of(field: dataclasses.Field[Any], part: Any) -> Any:
    """Return the value of a field in one spelling: what is a float may be written as an integer."""
    return one_spelling(getattr(part, field.name), like=0.0 if field.type in ("float", float) else field.default)


def _numbers_of(tensor: Tensor) -> str:
    """Return the numbers of a tensor, or where they are many its shape and a digest of them."""
    values = tensor.detach().cpu()
    if values.numel() <= _SHOWN:
        return repr(values.tolist())
    return f"shape {tuple(values.shape)}, sha256 {sha256(repr(values.tolist()).encode()).hexdigest()[:16]}"


def _all(parts: dict[str, Any]) -> dict[str, str]:
    return {name: text for at, part in parts.items() for name, text in settings_by_name(at, part).items()}


def without_addresses(text: str) -> str:
    """Return a repr without addresses in memory, which a user's class may show and another process has others of."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
