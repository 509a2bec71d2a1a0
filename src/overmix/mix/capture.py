"""Looking at what passes through a layer during a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from overmix.errors import ConfigError
from overmix.mix.hidden import find_layer


@contextmanager
def captured(model: Callable[..., Any], layer: str | None) -> Iterator[list[Tensor]]:
    """Collect the representation of each forward pass in the context; the hook is removed at its end.

    Args:
        model: a module, or anything with ``get_submodule(name)`` and ``named_modules()``.
        layer: name of the layer whose output is the representation; ``None`` means what enters the last linear layer.

    Yields:
        A list that each forward pass adds its representation to.

    Raises:
        ConfigError: if there is no such layer, or what it returns is no tensor.
    """
    seen: list[Tensor] = []

    def keep(value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ConfigError(
                "layer", layer, f"choose another layer: this one has no tensor but {type(value).__name__}"
            )
        seen.append(value)

    if layer is None:
        hook = _last_linear(model).register_forward_pre_hook(lambda module, args: keep(args[0]))
    else:
        hook = find_layer(model, layer).register_forward_hook(lambda module, args, output: keep(output))
    try:
        yield seen
    finally:
        hook.remove()


def _last_linear(model: Any) -> nn.Module:
    modules = model.named_modules() if hasattr(model, "named_modules") else []
    linear = [module for _, module in modules if isinstance(module, nn.Linear)]
    if not linear:
        raise ConfigError("layer", None, "name the layer whose output is the representation: there is no linear one")
    return linear[-1]
