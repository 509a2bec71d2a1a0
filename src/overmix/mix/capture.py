"""Looking at what passes through a layer during a forward pass, and adding to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from overmix.errors import ConfigError
from overmix.mix.hidden import find_layer
from overmix.mix.recomputed import PassHook, checkpointed_calls, hooked


@contextmanager
def replaced(model: Callable[..., Any], layer: str | None, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace the representation in a forward pass by a function of it, also where a checkpoint repeats the pass.

    Args:
        model: a module, or anything with ``get_submodule(name)`` and ``named_modules()``.
        layer: name of the layer whose output is the representation; ``None`` means what enters the last linear layer.
        function: what to do with the representation; it may return a larger batch, which the layers after it then see.

    Raises:
        ConfigError: if there is no such layer, what it returns is no tensor, or it is called never or more than once.
    """

    def checked(value: Any) -> Tensor:
        if not isinstance(value, Tensor):
            raise ConfigError(
                "layer", layer, f"choose another layer: this one has no tensor but {type(value).__name__}"
            )
        return function(value)

    def register(hook: PassHook) -> RemovableHandle:
        if layer is None:
            return _last_linear(model).register_forward_pre_hook(lambda module, args: (hook(args[0]), *args[1:]))
        return find_layer(model, layer).register_forward_hook(lambda module, args, output: hook(output))

    with hooked(register, checked) as hook:
        yield
    if hook.calls != 1:
        raise ConfigError("layer", layer, f"choose another layer: this one was called {hook.calls} times")


@contextmanager
def captured(model: Callable[..., Any], layer: str | None) -> Iterator[list[Tensor]]:
    """Collect the representation of the forward pass in the context; see :func:`replaced` for arguments and errors.

    Yields:
        A list that the forward pass adds its representation to.

    Raises:
        ConfigError: also if no gradient could flow to it, in a block that is checkpointed with ``use_reentrant=True``.
    """
    seen: list[Tensor] = []
    gradient_is_asked = torch.is_grad_enabled()

    def keep(value: Tensor) -> Tensor:
        if seen:  # the forward pass is repeated
            return value
        if gradient_is_asked and not torch.is_grad_enabled() and any(True for _ in checkpointed_calls()):
            raise ConfigError("layer", layer, "checkpoint its block with use_reentrant=False: it has no gradient here")
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
