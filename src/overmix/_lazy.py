"""Names of a room that are imported when they are asked for (PEP 562).

PyTorch takes seconds to import, Polars and vl-convert parts of one; what needs none of them is not to wait for them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazily(room: str, names: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a room's ``__getattr__`` and ``__dir__``.

    Args:
        room: the module that asks, its ``__name__``.
        names: by module of the room, what it holds. No name may be that of a module of the room: once that module is
            imported, the name would be the module.

    Example:
        In ``overmix/room/__init__.py``, where ``overmix/room/heavy.py`` defines ``answer``:

        >>> __getattr__, __dir__ = lazily("overmix.diagnose", {"scores": ("brier",)})
        >>> __getattr__("brier").__name__, "brier" in __dir__()
        ('brier', True)
    """
    module_of = {name: module for module, held in names.items() for name in held}

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(import_module(f"{room}.{module_of[name]}"), name)
        setattr(sys.modules[room], name, value)  # asked for once
        return value

    def names_there() -> list[str]:
        return sorted({*vars(sys.modules[room]), *module_of})

    return get, names_there
