"""Values as a training holds them: copied, compared to the bit, and put back in place."""

from __future__ import annotations

import copy
import types
from collections import deque
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from overmix.errors import ConfigError

Memo: TypeAlias = dict[Any, Tensor]
"""Copies made so far, by the memory that they are copies of: what is held twice is copied once."""

# Kept as they are: a copy of a method would bring a copy of the object, and all that it holds.
_SHARED = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, type)
_EQUAL_IS_SAME = (str, bytes, complex, set, frozenset, torch.dtype, torch.device, np.generic, *_SHARED)


def copied(value: Any, memo: Memo) -> Any:
    """Return a copy of nested containers, tensors and arrays that nothing changes any more."""
    if isinstance(value, Tensor):
        return copied_tensor(value, memo)
    if isinstance(value, Mapping):
        return _like(value, {key: copied(part, memo) for key, part in value.items()})
    if type(value) in (list, tuple):
        return type(value)(copied(part, memo) for part in value)
    return value if isinstance(value, _SHARED) else copy.deepcopy(value)


def check_copied(field: str, value: Any) -> None:
    """Refuse what :func:`copied` cannot copy, such as a lock or an open file; tensors, which it can, are not copied.

    Args:
        field: what the value is of.
        value: nested containers.

    Raises:
        ConfigError: that names the place of the first such part.

    Example:
        >>> from threading import Lock
        >>> try:
        ...     check_copied("state['counter']", {"seen": 3, "guards": [Lock()]})
        ... except ConfigError as error:
        ...     error.field, error.value
        ("state['counter']['guards'][0]", 'lock')
    """
    if isinstance(value, Mapping) or type(value) in (list, tuple):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            check_copied(f"{field}[{key!r}]", part)
        return
    if isinstance(value, Tensor):
        return
    try:
        copied(value, {})
    except Exception as error:  # whatever a class of the user's raises
        raise ConfigError(
            field,
            type(value).__name__,
            f"it cannot be copied, so that the training could not be set back ({type(error).__name__}: {error}): leave "
            "it out of what state_dict returns",
        ) from error


def copied_tensor(value: Tensor, memo: Memo) -> Tensor:
    """Return a copy; the same one for tensors that are views of the same memory in the same way."""
    key = _memory(value)
    if key not in memo:
        memo[key] = value.detach().clone()
    return memo[key]


def _memory(value: Tensor) -> Any:
    if value.layout is not torch.strided or type(value) not in (Tensor, torch.nn.Parameter) or value.numel() == 0:
        return id(value)
    return value.device, value.data_ptr(), value.dtype, value.shape, value.stride()


def _like(value: Mapping[Any, Any], parts: dict[Any, Any]) -> Any:
    """Return a mapping of the same kind where it can be written to; state dictionaries carry attributes, too."""
    if type(value) is dict:
        return parts
    try:
        made = copy.copy(value)
        made.clear()  # type: ignore[attr-defined]
        for key, part in parts.items():  # one by one: a Counter's update adds
            made[key] = part  # type: ignore[index]
    except (AttributeError, TypeError):
        return parts
    return made


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal to the bit; False where that cannot be told."""
    return _same(one, other, set())


def _same(one: Any, other: Any, inside: set[tuple[int, int]]) -> bool:
    if one is other:
        return True
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return isinstance(one, Tensor) and isinstance(other, Tensor) and same_tensor(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key], inside) for key in one)
    if type(one) is not type(other):
        return isinstance(one, int | float) and isinstance(other, int | float) and _same_number(one, other)
    if isinstance(one, np.ndarray):
        return _same_array(one, other)
    if isinstance(one, deque) and one.maxlen != other.maxlen:
        return False
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(_same(a, b, inside) for a, b in zip(one, other, strict=True))
    if isinstance(one, int | float):
        return _same_number(one, other)
    if isinstance(one, torch.Generator):
        return same_tensor(one.get_state(), other.get_state())
    if isinstance(one, _EQUAL_IS_SAME):
        return bool(one == other)
    return _same_object(one, other, inside)


def _same_number(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)


def _same_array(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.hasobject:
        return all(same(a, b) for a, b in zip(one.flat, other.flat, strict=True))
    return one.tobytes() == other.tobytes()


def _same_object(one: Any, other: Any, inside: set[tuple[int, int]]) -> bool:
    """Compare what an object would be copied from; objects that are inside of one another are met once."""
    pair = id(one), id(other)
    if pair in inside:
        return True
    inside.add(pair)
    try:
        ours, theirs = one.__reduce_ex__(4), other.__reduce_ex__(4)
    except Exception:  # whatever a class of the user's raises, it cannot be looked into
        return False
    if isinstance(ours, str) or isinstance(theirs, str):
        return bool(ours == theirs)
    return all(_same(_listed(a), _listed(b), inside) for a, b in zip(_padded(ours), _padded(theirs), strict=True))


def _padded(reduced: tuple[Any, ...]) -> tuple[Any, ...]:
    return reduced + (None,) * (6 - len(reduced))


def _listed(part: Any) -> Any:
    return list(part) if hasattr(part, "__next__") else part


def same_tensor(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have one type, shape and layout, and are equal to the bit: NaN is NaN, -0 is not 0."""
    if (one.dtype, one.shape, one.layout) != (other.dtype, other.shape, other.layout):
        return False
    if one.layout is not torch.strided:
        return same_tensor(one.detach().to_dense(), other.detach().to_dense())
    if one.is_quantized:
        return torch.equal(one, other.to(one.device))
    if type(one) not in (Tensor, torch.nn.Parameter):  # of a class of its own, such as a shard: no bytes to look at
        return bool(((one == other) | ((one != one) & (other != other))).all())
    return torch.equal(_bytes(one), _bytes(other.to(one.device)))


def _bytes(value: Tensor) -> Tensor:
    return value.detach().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)


def put_back(current: Any, saved: Any, device: torch.device | None = None) -> Any:
    """Return ``saved`` as the object that ``current`` is, changed in place as far as it can be.

    Tensors are written into, since a captured graph, a flattened bucket or another holder may look at their memory.
    Dictionaries and lists stay the objects that they are, so that whoever shares them still does.

    Args:
        current: what is there now; None if nothing is.
        saved: what must be there; it is copied, and can be put back again.
        device: of tensors that have no place yet; by default where they were saved.
    """
    if isinstance(saved, Tensor):
        return put_back_tensor(current if isinstance(current, Tensor) else None, saved, device)
    if isinstance(saved, Mapping):
        held = current if isinstance(current, dict) else _like(saved, {})
        for key in [key for key in held if key not in saved]:
            del held[key]
        for key, part in saved.items():
            held[key] = put_back(held.get(key), part, device)
        return held
    if type(saved) is list:
        held = current if type(current) is list else []
        now = [*held, *[None] * len(saved)]
        held[:] = [put_back(old, part, device) for old, part in zip(now, saved, strict=False)]
        return held
    return current if same(current, saved) else copied(saved, {})


def put_back_tensor(current: Tensor | None, saved: Tensor, device: torch.device | None = None) -> Tensor:
    """Return ``current`` with the values of ``saved``, or a copy of these if they do not fit into its memory."""
    if current is None:
        return saved.to(saved.device if device is None else device, copy=True)
    if not _fits(current, saved):
        return saved.to(current.device, copy=True)
    if not same_tensor(current, saved):
        # Tensors made in inference mode can be written to in that mode alone.
        with torch.inference_mode(current.is_inference()), torch.no_grad():
            current.copy_(saved)
    return current


def _fits(current: Tensor, saved: Tensor) -> bool:
    alike = (current.dtype, current.shape, current.layout) == (saved.dtype, saved.shape, saved.layout)
    if not alike or current.layout is not torch.strided:
        return False
    # An expanded tensor has one place for many values.
    return all(step != 0 or size <= 1 for step, size in zip(current.stride(), current.shape, strict=True))
