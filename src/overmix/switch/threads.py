"""Threads: in which of them an object of a training is used."""

from __future__ import annotations

import threading
from collections.abc import Iterable, MutableMapping
from functools import cache
from typing import Any

import torch
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.utils.weak import WeakIdKeyDictionary


class _Thread(threading.local):
    """Names a thread; its number is given to another one after its end."""

    def __init__(self) -> None:
        self.name = object()


_here = _Thread()
_used_in: MutableMapping[object, set[object]] = WeakIdKeyDictionary()
"""By object, the names of the threads in which it was used, as a set."""


def used_here(objects: Iterable[object]) -> None:
    """Note that they are used in this thread."""
    for one in objects:
        if isinstance(one, torch.Generator) or hasattr(one, "__weakref__"):
            _note(one)


def only_elsewhere(one: object) -> bool:
    """Return whether it, or the generator that it draws from, is known to be used, and not in this thread.

    An optimizer is known where it steps, from :func:`watch_steps` on; all else where a run begins that registers it.
    """
    known = [_used_in[part] for part in (one, getattr(one, "generator", None)) if part in _used_in]
    return bool(known) and all(_here.name not in threads for threads in known)


@cache
def watch_steps() -> None:
    """Note from now on where optimizers step."""
    # Once, and never taken away: another thread may be going through the hooks at that moment.
    register_optimizer_step_post_hook(_stepped)


def _stepped(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    if not torch.compiler.is_compiling():
        _note(optimizer)


def _note(one: object) -> None:
    # In one go: of two threads that use it at once, none may lose what the other noted.
    _used_in.setdefault(one, set()).add(_here.name)
