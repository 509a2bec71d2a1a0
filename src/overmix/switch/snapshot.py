"""Snapshots: a training as it stood, and the way back to it, bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from overmix.errors import OvermixError
from overmix.switch.generators import generator_states, set_generator_states
from overmix.switch.registered import Registered

Snapshot: TypeAlias = dict[str, Any]
"""``objects`` (their states, by name), ``lr``, ``momentum``, ``training``, ``gradients``, ``generators``, ``rank``."""


def take(registered: Registered, rank: int = 0) -> Snapshot:
    """Return deep copies of all that a training changes, on the devices where it lies.

    Beyond what ``state_dict`` gives: gradients that are still accumulating, which modules train and which evaluate,
    the momentum of running statistics, and the global random generators.
    """
    return {
        "objects": {name: copy.deepcopy(_state_of(part)) for name, part in registered.objects.items()},
        "lr": [float(group["lr"]) for optimizer in registered.optimizers for group in optimizer.param_groups],
        "momentum": [layer.momentum for layer in registered.norms],
        "training": [[layer.training for layer in module.modules()] for module in registered.modules],
        "gradients": [None if p.grad is None else p.grad.detach().clone() for p in registered.parameters()],
        "generators": generator_states(),
        "rank": rank,
    }


def restore(registered: Registered, snapshot: Snapshot, rank: int = 0) -> None:
    """Go back to a snapshot; the objects stay the user's own, and the snapshot can be used again.

    The generators are set back only on the rank that they were taken on: ranks that share a file must not begin to
    draw the same dropout masks.

    Raises:
        OvermixError: if an object does not take back what it gave.
    """
    for name, holder in registered.objects.items():
        # A copy, since optimizers keep the tensors that they are given, and go on to change them.
        _set_state(holder, copy.deepcopy(snapshot["objects"][name]))
    restore_momentum(registered, snapshot)
    for module, flags in zip(registered.modules, snapshot["training"], strict=True):
        for part, training in zip(module.modules(), flags, strict=True):
            part.training = training
    for p, gradient in zip(registered.parameters(), snapshot["gradients"], strict=True):
        _set_gradient(p, gradient)
    if snapshot["rank"] == rank:
        set_generator_states(snapshot["generators"])
    for name, holder in registered.objects.items():
        if not _same(_state_of(holder), snapshot["objects"][name]):
            raise OvermixError(
                f"state[{name!r}]: {type(holder).__name__}.load_state_dict does not bring back what state_dict gave: "
                "the training cannot be set back"
            )


def restore_momentum(registered: Registered, snapshot: Snapshot) -> None:
    """Give running statistics the pace back that they had; no ``state_dict`` holds it."""
    for layer, momentum in zip(registered.norms, snapshot["momentum"], strict=True):
        layer.momentum = momentum


def _state_of(part: Any) -> Any:
    return part.get_state() if isinstance(part, torch.Generator) else part.state_dict()


def _set_state(part: Any, state: Any) -> None:
    if isinstance(part, torch.Generator):
        part.set_state(state.cpu())
    else:
        part.load_state_dict(state)


def _set_gradient(p: Tensor, gradient: Tensor | None) -> None:
    if gradient is None or p.grad is None:
        p.grad = None if gradient is None else gradient.to(p.device, copy=True)
    else:
        p.grad.detach().copy_(gradient)  # in place: distributed training hands out views into its buckets


def _same(one: Any, other: Any) -> bool:
    """Return whether two states are equal to the bit; what cannot be compared is taken to be."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and _same_values(one, other.to(one.device))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str | bytes):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, int | float | str) and isinstance(other, int | float | str):
        return one == other or (one != one and other != other)
    return True


def _same_values(one: Tensor, other: Tensor) -> bool:
    if one.is_sparse or other.is_sparse:
        return _same_values(one.to_dense(), other.to_dense())
    nan = (one != one) & (other != other)  # a diverged training is set back like any other
    return bool(((one == other) | nan).all())
