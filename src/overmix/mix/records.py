"""Records of tensors, such as plans and draws: one made of several of one form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from typing import Any, TypeVar

from torch import Tensor

_R = TypeVar("_R")


def of_records(function: Callable[..., Tensor], *records: _R) -> _R:
    """Return the record that holds, at each place, the function of the tensors that the given records hold there.

    What is no tensor is the first record's.

    Args:
        function: of as many tensors as there are records.
        *records: instances of one dataclass, with tensors, or such instances in tuples, at the same places.

    Example:
        >>> from overmix.mix import MixPlan
        >>> of_records(lambda tensor: tensor[1:], MixPlan.identity(3)).partner
        tensor([1, 2])
    """
    made: _R = _of_values(function, records)
    return made


def _of_values(function: Callable[..., Tensor], values: Sequence[Any]) -> Any:
    first = values[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return function(*values)
    if isinstance(first, tuple):
        return tuple(_of_values(function, group) for group in zip(*values, strict=True))
    if not is_dataclass(first):
        return first
    places = {name: _of_values(function, [getattr(value, name) for value in values]) for name in vars(first)}
    kind: Any = type(first)
    return kind(**places)
