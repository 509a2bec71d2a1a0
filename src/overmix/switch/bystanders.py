"""Bystanders: what lives beside the registered objects, goes on while they are set back, and would go unnoticed.

A second optimizer, a scheduler, averaged weights or a loader's generator that was not registered keeps what it learned
from epochs that never were. They are found among the living objects of the process when a snapshot is taken, and looked
at again after going back to it: one that is not as it was has a part in the training, unless it is known to be used in
another thread alone, which trains something of its own: an optimizer that stepped there, and what a run there has
registered. Of what else goes on there, such as the generator of a loader in a plain loop, nobody can tell whose it is.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import re
import uuid
import weakref
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Sampler

from overmix.switch import module_state
from overmix.switch.attributes import read_all
from overmix.switch.copies import same
from overmix.switch.threads import only_elsewhere, watch_steps

if TYPE_CHECKING:
    from overmix.switch.registered import Registered

_KINDS = (Optimizer, LRScheduler, GradScaler, DataLoader, Sampler)


class Note(NamedTuple):
    """How the living objects stood, by what would show that they went on, and how registered modules were built."""

    looks: list[tuple[weakref.ref[Any], Any]]
    structure: dict[str, str]


class Bystanders:
    """The unregistered objects that a training may use.

    Args:
        registered: what is set back.
    """

    def __init__(self, registered: Registered) -> None:
        self._registered = registered
        self._notes: dict[str, Note] = {}
        watch_steps()

    def note(self) -> str:
        """Note how they stand, and return the note's name; no other process has one of that name."""
        name = uuid.uuid4().hex
        parts = self._registered.parts()
        known, ours = {id(part) for part in parts.values()}, _set_back_by(self._registered, parts)
        looks = [(weakref.ref(part), _look(part, ours)) for part in _living() if id(part) not in known]
        kept = [(reference, look) for reference, look in looks if look is not None]
        self._notes[name] = Note(kept, _structure(parts))
        return name

    def keep_only(self, names: Collection[str]) -> None:
        """Forget all other notes: their snapshots are gone."""
        self._notes = {name: note for name, note in self._notes.items() if name in names}

    def complaints(self, name: str) -> list[str]:
        """Return one line for each that is not as it was noted; none for another process's note, or a forgotten one."""
        if name not in self._notes:
            return []
        parts, note = self._registered.parts(), self._notes[name]
        ours = _set_back_by(self._registered, parts)
        living = [(part, look) for reference, look in note.looks if (part := reference()) is not None]
        lines = [
            f"state: {_described(part)} went on through epochs that are set back, and is not registered: "
            "register it too, by a name of its own"
            for part, look in living
            if not only_elsewhere(part) and not same(_look(part, ours), look)
        ]
        changed = [part for part, built in _structure(parts).items() if note.structure.get(part) != built]
        lines += [
            f"state[{part!r}]: it was given other parts or hooks since: it cannot be set back" for part in changed
        ]
        return lines


def _look(part: object, ours: set[int]) -> Any:
    """Return what would show that it went on; None if nothing of it matters."""
    if isinstance(part, Optimizer):
        return _look_at_optimizer(part, ours)
    if isinstance(part, LRScheduler):
        return read_all(part, {}, leave=("optimizer",)) if id(part.optimizer) in ours else None
    if isinstance(part, GradScaler):
        return part.state_dict()
    if isinstance(part, DataLoader | Sampler):
        if isinstance(part, Sampler) and hasattr(part, "set_epoch"):
            return None  # told its epoch, it seeds its generator anew
        generator = getattr(part, "generator", None)
        return generator.get_state() if isinstance(generator, torch.Generator) else None
    return _sizes([*part.parameters(), *part.buffers()]) if isinstance(part, nn.Module) else None


def _look_at_optimizer(optimizer: Optimizer, ours: set[int]) -> Any:
    if id(optimizer.state) in ours:  # it wraps one of ours, or is wrapped by one
        return None
    # Lists, made at once: another thread may be at its first step, and adds to them.
    held = [value for entry in list(optimizer.state.values()) for value in list(entry.values())]
    moments = [value for value in held if isinstance(value, Tensor)]
    theirs = [p for group in optimizer.param_groups for p in group["params"] if id(p) not in ours]
    return [len(held), _sizes(moments), _sizes(theirs)]


def _living() -> list[Any]:
    """Return the objects of this process that may have a part in a training."""
    everything = gc.get_objects()
    kinds = list(map(type, everything))
    wanted = {kind for kind in set(kinds) if issubclass(kind, _KINDS) or _averages(kind)}
    return list(itertools.compress(everything, map(wanted.__contains__, kinds)))


def _averages(kind: type) -> bool:
    return issubclass(kind, nn.Module) and re.search(r"EMA|Ema(?![a-z])|Averag", kind.__name__) is not None


def _set_back_by(registered: Registered, parts: Mapping[str, Any]) -> set[int]:
    """Return the ids of all that going back takes care of: objects, their parameters, states of optimizers."""
    objects = list(parts.values())
    states = [part.state for part in objects if hasattr(part, "param_groups") and hasattr(part, "state")]
    modules = [layer for part in objects if isinstance(part, nn.Module) for layer in part.modules()]
    return {id(one) for one in [*objects, *states, *modules, *registered.named_parameters(parts).values()]}


def _structure(parts: Mapping[str, Any]) -> dict[str, str]:
    """Return how each registered module is built, briefly: notes are held as long as their snapshots."""
    modules = {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
    built = {name: repr(module_state.structure(module)) for name, module in modules.items()}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in built.items()}


def _sizes(tensors: list[Tensor]) -> list[float]:
    """Return the norms of tensors: a number each, which no step leaves alone. A device is waited for once."""
    real = [value.detach() for value in tensors if not (torch.nn.parameter.is_lazy(value) or value.is_meta)]
    dense = [value.to_dense() if value.layout is not torch.strided else value for value in real]
    norms = [torch.linalg.vector_norm(_at_least_float(value)) for value in dense]
    alike: dict[Any, list[int]] = {}
    for at, norm in enumerate(norms):
        alike.setdefault((norm.device, norm.dtype) if type(norm) is Tensor else at, []).append(at)
    sizes = [0.0] * len(norms)
    for places in alike.values():
        numbers = torch.stack([norms[at] for at in places]).tolist() if len(places) > 1 else [float(norms[places[0]])]
        for at, number in zip(places, numbers, strict=True):
            sizes[at] = number
    return sizes


def _at_least_float(value: Tensor) -> Tensor:
    return value.to(torch.promote_types(value.dtype, torch.float32))


def _described(part: object) -> str:
    kind = type(part).__name__
    return f"the generator of a {kind}" if isinstance(part, DataLoader | Sampler) else f"a {kind}"
