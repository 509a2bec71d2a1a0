"""Looking at what passes through a layer during a forward pass, and adding to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from overmix.errors import ConfigError
from overmix.mix.hidden import find_layer


@contextmanager
def replaced(model: Callable[..., Any], layer: str | None, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace the representation in a forward pass by a function of it; the hook is removed at the context's end.

    Args:
        model: a module, or anything with ``get_submodule(name)`` and ``named_modules()``.
        layer: name of the layer whose output is the representation; ``None`` means what enters the last linear layer.
        function: what to do with the representation; it may return a larger batch, which the layers after it then see.

    Raises:
        ConfigError: if there is no such layer, what it returns is no tensor, or it is called never or more than once.
    """
    calls = 0

    def once(value: Any) -> Tensor:
        nonlocal calls
        calls += 1
        if not isinstance(value, Tensor):
            raise ConfigError(
                "layer", layer, f"choose another layer: this one has no tensor but {type(value).__name__}"
            )
        return function(value)

    if layer is None:
        hook = _last_linear(model).register_forward_pre_hook(lambda module, args: (once(args[0]), *args[1:]))
    else:
        hook = find_layer(model, layer).register_forward_hook(lambda module, args, output: once(output))
    try:
        yield
    finally:
        hook.remove()
    if calls != 1:
        raise ConfigError("layer", layer, f"choose another layer: this one was called {calls} times")


@contextmanager
def captured(model: Callable[..., Any], layer: str | None) -> Iterator[list[Tensor]]:
    """Collect the representation of the forward pass in the context; see :func:`replaced` for arguments and errors.

    Yields:
        A list that the forward pass adds its representation to.
    """
    seen: list[Tensor] = []

    def keep(value: Tensor) -> Tensor:
        seen.append(value)
        return value

    with replaced(model, layer, keep):
        yield seen


def _last_linear(model: Any) -> nn.Module:
    modules = model.named_modules() if hasattr(model, "named_modules") else []
    linear = [module for _, module in modules if isinstance(module, nn.Linear)]
    if not linear:
        raise ConfigError("layer", None, "name the layer whose output is the representation: there is no linear one")
    return linear[-1]
