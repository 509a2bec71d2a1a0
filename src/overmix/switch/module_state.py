"""What a module holds beside its parameters: every buffer, and the plain attributes of all its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from overmix.switch.attributes import put_back_all, read_all
from overmix.switch.copies import Memo, copied_tensor, put_back_tensor

_BOOK_KEEPING = frozenset(vars(nn.Module())) - {"training"}
# Their numbers belong to work under way between processes or in the compiler, which is not set back.
_LEFT_ALONE = ("torch.nn.parallel.", "torch.distributed.", "torch._dynamo.")


def read(module: nn.Module, memo: Memo) -> dict[str, Any]:
    """Return all buffers, persistent or not, and which modules train, their rates, counters, and the like, by name."""
    return {"buffers": _buffers(module, memo), "attributes": _attributes(module, memo)}


def put_back(module: nn.Module, saved: Mapping[str, Any]) -> None:
    """Undo what changed since :func:`read`, in place; buffers that have come since go."""
    for path, part in module.named_modules():
        _put_back_buffers(part, saved["buffers"].get(path, {}))
        if path in saved["attributes"]:
            put_back_all(part, saved["attributes"][path], leave=_BOOK_KEEPING)


def _buffers(module: nn.Module, memo: Memo) -> dict[str, dict[str, Tensor | None]]:
    return {
        path: {name: None if held is None else copied_tensor(held, memo) for name, held in part._buffers.items()}
        for path, part in module.named_modules()
        if part._buffers
    }


def _put_back_buffers(part: nn.Module, saved: Mapping[str, Tensor | None]) -> None:
    for name in [name for name in part._buffers if name not in saved]:
        del part._buffers[name]
        part._non_persistent_buffers_set.discard(name)
    for name, value in saved.items():
        part._buffers[name] = None if value is None else put_back_tensor(part._buffers.get(name), value)


def _attributes(module: nn.Module, memo: Memo) -> dict[str, Any]:
    return {path: read_all(part, memo, leave=_BOOK_KEEPING) for path, part in _own_parts(module)}


def _own_parts(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for path, part in module.named_modules():
        if not f"{type(part).__module__}.".startswith(_LEFT_ALONE):
            yield path, part


def structure(module: nn.Module) -> dict[str, Any]:
    """Return what can be noticed, but not set back: which parts there are, and the hooks on them."""
    parts = {path: [_kind(part), *_hooks(part)] for path, part in module.named_modules()}
    hooked = {name: [len(hooks or ()) for hooks in _hooks_on(p)] for name, p in module.named_parameters()}
    return {**parts, **hooked}


def _kind(part: nn.Module) -> str:
    return f"{type(part).__module__}.{type(part).__qualname__}"


def _hooks(part: nn.Module) -> list[int]:
    kinds = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
    return [len(getattr(part, kind)) for kind in kinds]


def _hooks_on(p: Tensor) -> list[Any]:
    return [getattr(p, "_backward_hooks", None), getattr(p, "_post_accumulate_grad_hooks", None)]
