"""Hooks that act again where activation checkpointing repeats a forward pass during ``backward``.

A hook that lives as long as a context is gone when a checkpointed block runs for the second time: the repeated pass
would not be mixed, and its gradients would be those of another network. So a hook remembers which checkpointed calls it
took part in, and stays for as long as their graph lives.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType, GeneratorType
from typing import Any

import torch
from torch.autograd.function import FunctionCtx
from torch.utils import checkpoint
from torch.utils.hooks import RemovableHandle

_NON_REENTRANT = getattr(checkpoint, "_CheckpointFrame", ())


@dataclass(frozen=True)
class CheckpointedCall:
    """A call of a checkpointed function that is running.

    Args:
        record: what autograd keeps of the call: one object in the forward pass and in its repetition, which lives as
            long as the graph.
        repeated: whether this is the repetition.
    """

    record: Any
    repeated: bool


def checkpointed_calls() -> Iterator[CheckpointedCall]:
    """Yield the checkpointed calls that are running in this thread, the innermost first.

    PyTorch does not say which call it repeats; its own frames on the stack do. With ``use_reentrant=True``, as in the
    checkpointing of other libraries, the record is the context of an autograd function, otherwise a frame of
    ``torch.utils.checkpoint``.
    """
    if torch.compiler.is_compiling():
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        call = _call_of(frame)
        if call is not None:
            yield call
        frame = frame.f_back


def _call_of(frame: FrameType) -> CheckpointedCall | None:
    code = frame.f_code
    if code.co_name in ("forward", "backward") and code.co_varnames[:1] == ("ctx",):
        context = frame.f_locals.get("ctx")
        return CheckpointedCall(context, code.co_name == "backward") if isinstance(context, FunctionCtx) else None
    if code.co_filename != checkpoint.__file__:
        return None
    for value in frame.f_locals.values():
        if isinstance(value, _NON_REENTRANT):
            return CheckpointedCall(value, repeated=True)
        suspended = value.gi_frame if isinstance(value, GeneratorType) else None
        record = suspended.f_locals.get("new_frame") if suspended is not None else None
        if isinstance(record, _NON_REENTRANT):
            return CheckpointedCall(record, repeated=False)
    return None


class _Token:
    """What the records of checkpointed calls hold of a hook; the hook is removed when none holds it any more."""


class PassHook:
    """Applies a function to what passes through a layer: in one forward pass, and wherever that pass is repeated.

    Attributes:
        calls: how often the function was applied in the forward pass itself.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.calls = 0
        self._function = function
        self._token: _Token | None = _Token()
        self._reference = weakref.ref(self._token)

    def __call__(self, value: Any) -> Any:
        """Return the function's value, or what was given where the pass is another one."""
        running = list(checkpointed_calls())
        if any(call.repeated for call in running):
            if not any(call.repeated and self._took_part_in(call) for call in running):
                return value
        elif self._token is None:
            return value
        else:
            self.calls += 1
        for call in running:
            if not call.repeated:
                self._remember(call)
        return self._function(value)

    def _took_part_in(self, call: CheckpointedCall) -> bool:
        return self._reference() in getattr(call.record, "overmix_hooks", ())

    def _remember(self, call: CheckpointedCall) -> None:
        if not hasattr(call.record, "overmix_hooks"):
            call.record.overmix_hooks = set()
        call.record.overmix_hooks.add(self._reference())

    def close(self, handle: RemovableHandle) -> None:
        """End the forward pass. The hook goes when nothing can repeat it any more: at once, without checkpoints."""
        if self._token is not None:
            weakref.finalize(self._token, handle.remove).atexit = False
            self._token = None


@contextmanager
def hooked(register: Callable[[PassHook], RemovableHandle], function: Callable[[Any], Any]) -> Iterator[PassHook]:
    """Let a function act on what passes through a layer in the forward pass of the context.

    Args:
        register: registers a callable of one value as a hook of the layer.
        function: takes what passes through, returns what takes its place.
    """
    hook = PassHook(function)
    handle = register(hook)
    try:
        yield hook
    finally:
        hook.close(handle)
