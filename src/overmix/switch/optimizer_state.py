"""Optimizers set back in place: ``load_state_dict`` would give them other tensors, and other groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from overmix.switch.copies import put_back


def is_standard(part: Any) -> bool:
    """Whether an optimizer's state_dict tells of its own state, as torch's do, and not of another one that it wraps."""
    if not isinstance(getattr(part, "state", None), dict) or not hasattr(part, "param_groups"):
        return False
    told = part.state_dict()
    if not isinstance(told, Mapping) or not told.keys() >= {"state", "param_groups"}:
        return False
    return {id(entry) for entry in told["state"].values()} == {id(entry) for entry in part.state.values()}


def fits(optimizer: Any, saved: Mapping[str, Any]) -> bool:
    """Whether the groups that were there are there still, with as many parameters; later ones can be taken away."""
    now, then = optimizer.param_groups, saved["param_groups"]
    same_sizes = (len(a["params"]) == len(b["params"]) for a, b in zip(now, then, strict=False))
    return len(now) >= len(then) and all(same_sizes)


def set_back(optimizer: Any, saved: Mapping[str, Any]) -> None:
    """Undo steps, and groups that were added: state that has come goes, and what has gone comes back."""
    groups = optimizer.param_groups
    del groups[len(saved["param_groups"]) :]
    for group, then in zip(groups, saved["param_groups"], strict=True):
        _put_back_group(group, then)
    numbered = [p for group in groups for p in group["params"]]
    entries = {_key(key, numbered): entry for key, entry in saved["state"].items()}
    for key in [key for key in optimizer.state if key not in entries]:
        del optimizer.state[key]
    group_of = {id(p): group for group in groups for p in group["params"]}
    for key, entry in entries.items():
        _put_back_entry(optimizer.state, key, entry, group_of.get(id(key), {}))


def _put_back_group(group: dict[str, Any], saved: Mapping[str, Any]) -> None:
    for name in [name for name in group if name not in saved]:
        del group[name]
    for name, value in saved.items():
        if name != "params":
            group[name] = put_back(group.get(name), value)


def _key(key: Any, numbered: list[Tensor]) -> Any:
    """Return the parameter that a saved state numbers; keys of other kinds stay."""
    return numbered[key] if isinstance(key, int) and 0 <= key < len(numbered) else key


def _put_back_entry(state: Any, key: Any, entry: Any, group: Mapping[str, Any]) -> None:
    if not isinstance(key, Tensor) or not isinstance(entry, Mapping):
        state[key] = put_back(state.get(key), entry)
        return
    held = state[key] if isinstance(state.get(key), dict) else {}
    for name in [name for name in held if name not in entry]:
        del held[name]
    for name, value in entry.items():
        held[name] = put_back(held.get(name), value, _place(name, key, group))
    state[key] = held


def _place(name: str, p: Tensor, group: Mapping[str, Any]) -> Any:
    # As torch does: steps are counted on the CPU unless the device itself reads them.
    on_device = name != "step" or group.get("capturable", False) or group.get("fused", False)
    return p.device if on_device else None
