"""A fast operator beside the plain one that it must equal."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from torch import Tensor


class Kernel:
    """Calls the fast operator where this PyTorch has it and it gives what the plain one gives, else the plain one.

    Which of the two is a function of the installed versions, found out once by a small example: never of timing.

    Args:
        plain: in public PyTorch; it says what is computed.
        fast: the same by an operator that is private, or may go.
        example: returns fresh arguments; both are called, and results and changed arguments are compared.
    """

    def __init__(
        self, plain: Callable[..., Any], fast: Callable[..., Any], example: Callable[[], tuple[Any, dict[str, Any]]]
    ) -> None:
        self.plain, self.fast, self.example = plain, fast, example

    @cached_property
    def is_there(self) -> bool:
        """Whether the fast operator exists and agrees."""
        try:
            return self.agrees()
        except (AttributeError, NotImplementedError, RuntimeError, TypeError):
            return False

    def agrees(self) -> bool:
        """Return whether fast and plain give the same for the example, to single precision; raises what fast raises."""
        outcomes = []
        for function in (self.plain, self.fast):
            arguments, settings = self.example()
            returned = function(*arguments, **settings)
            # What works in place may return its arguments, or nothing.
            outcomes.append(_tensors([arguments, returned if isinstance(returned, Tensor) else None]))
        return all(one.allclose(other, rtol=1e-5, atol=1e-6) for one, other in zip(*outcomes, strict=True))

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """Return what the operator returns."""
        return (self.fast if self.is_there else self.plain)(*arguments, **settings)


def _tensors(nest: Any) -> list[Tensor]:
    if isinstance(nest, list | tuple):
        return [tensor for part in nest for tensor in _tensors(part)]
    return [nest] if isinstance(nest, Tensor) else []
