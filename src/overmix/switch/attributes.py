"""Plain values that modules and optimizers carry: counters, flags, rates, lists, arrays, generators.

Each is read as ``[kind, value]`` of plain numbers, strings, lists and tensors, for ``torch.load(weights_only=True)``,
and is put back in place. What is of no kind below, such as an object of the user's, is left alone.
"""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from overmix.switch.copies import Memo, copied_tensor, put_back_tensor

Kept: TypeAlias = list[Any]
"""A kind, and a value of that kind."""

_PLAIN = (bool, int, float, str, bytes, type(None))
_DICTS = {"dict": dict, "ordered": OrderedDict}
_SERIES = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


class _UnknownKindError(Exception):
    """A value that is left alone."""


def read_all(holder: object, memo: Memo, leave: Iterable[str] = ()) -> dict[str, Kept]:
    """Return all attributes of an object by name, but for those to leave; what is of no known kind as ``[]``."""
    left, kept = set(leave), {}
    for name, value in vars(holder).items():
        if name not in left:
            try:
                kept[name] = _read(value, memo, frozenset())
            except _UnknownKindError:
                kept[name] = []
    return kept


def put_back_all(holder: object, kept: dict[str, Kept], leave: Iterable[str] = ()) -> None:
    """Give an object its attributes back; those that have come since, and are of a known kind, go."""
    now = vars(holder)
    for name in [name for name, value in read_all(holder, {}, leave).items() if value and name not in kept]:
        del now[name]
    for name, value in kept.items():
        if value:
            now[name] = _put_back(now.get(name), value)


def _read(value: Any, memo: Memo, inside: frozenset[int]) -> Kept:
    kind = type(value)
    if kind in _PLAIN:
        return ["plain", value]
    if isinstance(value, Tensor):
        return ["tensor", _read_tensor(value, memo)]
    if isinstance(value, np.ndarray | np.generic):
        return ["array" if isinstance(value, np.ndarray) else "scalar", *_read_array(np.asarray(value))]
    if isinstance(value, torch.Generator):
        return ["generator", value.get_state()]
    if kind is np.random.Generator:
        return ["numpy", _read(value.bit_generator.state, memo, inside)]
    if kind is random.Random:
        return ["python", _read(value.getstate(), memo, inside)]
    if id(value) in inside:
        raise _UnknownKindError
    inside |= {id(value)}
    for name, series in _SERIES.items():
        if kind is series:
            return [name, [_read(part, memo, inside) for part in value]]
    if kind is deque:
        return ["deque", [_read(part, memo, inside) for part in value], value.maxlen]
    for name, mapping in _DICTS.items():
        if kind is mapping:
            parts = value.items()
            return [name, [[_read(key, memo, inside), _read(part, memo, inside)] for key, part in parts]]
    raise _UnknownKindError


def _read_tensor(value: Tensor, memo: Memo) -> Tensor:
    # A parameter is kept as one. What has a gradient function was computed, and is computed again.
    if value.requires_grad or value.is_meta or value.layout is not torch.strided:
        raise _UnknownKindError
    return copied_tensor(value, memo)


def _read_array(value: np.ndarray) -> list[Any]:
    if value.dtype.hasobject:
        raise _UnknownKindError
    data = torch.frombuffer(bytearray(value.tobytes()), dtype=torch.uint8) if value.nbytes else torch.empty(0)
    return [np.lib.format.dtype_to_descr(value.dtype), list(value.shape), data]


def _array(descr: Any, shape: list[int], data: Tensor) -> np.ndarray:
    return np.frombuffer(data.cpu().numpy().tobytes(), dtype=np.dtype(descr)).reshape(shape).copy()


def _put_back(current: Any, kept: Kept) -> Any:
    """Return the value as the object that is there now, changed in place, if it is of that kind still."""
    kind, *value = kept
    if kind == "plain":
        return value[0]
    if kind == "tensor":
        usable = isinstance(current, Tensor) and not current.requires_grad
        return put_back_tensor(current if usable else None, value[0])
    if kind in ("array", "scalar"):
        return _put_back_array(current, _array(*value), scalar=kind == "scalar")
    if kind in _SERIES:
        return _put_back_series(current, kind, value[0])
    if kind == "deque":
        return _put_back_deque(current, *value)
    if kind in _DICTS:
        return _put_back_dict(current, kind, value[0])
    return _put_back_generator(current, kind, value[0])


def _put_back_array(current: Any, saved: np.ndarray, *, scalar: bool) -> Any:
    if scalar:
        return saved[()]
    fits = isinstance(current, np.ndarray) and (current.dtype, current.shape) == (saved.dtype, saved.shape)
    if not fits or not current.flags.writeable:
        return saved
    current[...] = saved
    return current


def _put_back_series(current: Any, kind: str, saved: list[Kept]) -> Any:
    held = type(current) is _SERIES[kind]
    now = list(current) if held and kind in ("list", "tuple") else []
    parts = [_put_back(old, part) for old, part in zip([*now, *[None] * len(saved)], saved, strict=False)]
    if not held or kind in ("tuple", "frozenset"):
        return _SERIES[kind](parts)
    current.clear()
    current.update(parts) if kind == "set" else current.extend(parts)
    return current


def _put_back_deque(current: Any, saved: list[Kept], maxlen: int | None) -> deque[Any]:
    parts = _put_back_series([], "list", saved)
    if type(current) is not deque or current.maxlen != maxlen:
        return deque(parts, maxlen)
    current.clear()
    current.extend(parts)
    return current


def _put_back_dict(current: Any, kind: str, saved: list[list[Kept]]) -> Any:
    held = current if type(current) is _DICTS[kind] else _DICTS[kind]()
    now = dict(held)
    held.clear()
    for key, part in saved:
        name = _put_back(None, key)
        held[name] = _put_back(now.get(name), part)
    return held


def _put_back_generator(current: Any, kind: str, state: Any) -> Any:
    if kind == "generator":
        held = current if isinstance(current, torch.Generator) else torch.Generator()
        held.set_state(state.cpu())
        return held
    return _put_back_python(current, state) if kind == "python" else _put_back_numpy(current, state)


def _put_back_python(current: Any, state: Kept) -> random.Random:
    held = current if type(current) is random.Random else random.Random()
    held.setstate(_put_back(None, state))
    return held


def _put_back_numpy(current: Any, kept: Kept) -> np.random.Generator:
    state = _put_back(None, kept)
    fits = type(current) is np.random.Generator and type(current.bit_generator).__name__ == state["bit_generator"]
    held: np.random.Generator = current if fits else np.random.Generator(getattr(np.random, state["bit_generator"])())
    held.bit_generator.state = state
    return held
