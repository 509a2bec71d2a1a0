"""Threads: in which of them an object of a training is used."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import cache
from typing import Any

import torch
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.utils.weak import WeakIdKeyDictionary

_used_in = WeakIdKeyDictionary()
"""By object, the threads in which it was used, as a set of their identifiers."""


class Threads:
    """Tells the objects of this thread's training from those of trainings in other threads.

    An optimizer is used where it steps, once there is one of these; all else where a run registers it.
    """

    def __init__(self) -> None:
        _watch_steps()

    def used_here(self, objects: Iterable[object]) -> None:
        """Note that they are used in this thread."""
        for one in objects:
            if isinstance(one, torch.Generator) or hasattr(one, "__weakref__"):
                _note(one)

    def only_elsewhere(self, one: object) -> bool:
        """Whether it, or the generator that it draws from, is known to be used, and not in this thread."""
        known = [_used_in[part] for part in (one, getattr(one, "generator", None)) if part in _used_in]
        return bool(known) and all(threading.get_ident() not in threads for threads in known)


@cache
def _watch_steps() -> None:
    # Once, and never taken away: another thread may be going through the hooks at that moment.
    register_optimizer_step_post_hook(_stepped)


def _stepped(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    if not torch.compiler.is_compiling():
        _note(optimizer)


def _note(one: object) -> None:
    here = threading.get_ident()
    if one not in _used_in:
        _used_in[one] = set()
    _used_in[one].add(here)
