"""What an object was made with: the arguments of its constructor, by name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Init = TypeVar("Init", bound=Callable[..., None])


def remembering(init: Init) -> Init:
    """Make a constructor keep its arguments in ``self._settings``; the outermost of several, which ends last, wins.

    Example:
        >>> class Circle:
        ...     @remembering
        ...     def __init__(self, radius: float = 1.0, colour: str = "red") -> None: ...
        >>> Circle(2)._settings
        {'radius': 2.0, 'colour': 'red'}
    """
    signature = inspect.signature(init)
    kinds = {parameter.kind: name for name, parameter in signature.parameters.items()}
    passed_on = kinds.get(inspect.Parameter.VAR_KEYWORD)

    @functools.wraps(init)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        _, *given = bound.arguments.items()
        parameters = signature.parameters
        named = {name: one_spelling(value, parameters[name].default) for name, value in given if name != passed_on}
        if passed_on is None:
            self._settings = named
            return
        # What is passed on has its spelling, and what is left out its default, from the constructor that names it.
        inner = getattr(self, "_settings", {})
        others = {name: one_spelling(value, inner.get(name)) for name, value in bound.arguments[passed_on].items()}
        self._settings = {**inner, **named, **others}

    return made  # type: ignore[return-value]


def one_spelling(value: Any, like: Any) -> Any:
    """Return one spelling of what means the same: 1 and 1.0, NumPy's numbers and Python's, a list and a tuple.

    Args:
        value: of a setting.
        like: another value of the setting, which says whether it is a float.

    Example:
        >>> one_spelling(1, like=0.5), one_spelling(1, like=2), one_spelling([1], like=())
        (1.0, 1, (1,))
    """
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, Mapping):
        return dict(value)
    number = value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 else value
    return float(number) if isinstance(like, float) and type(number) is int else number


def said(value: Any) -> str:
    """Return how a setting is written: functions and classes by module and name, anything else as its repr.

    Example:
        >>> said(said), said(0.4)
        ('overmix.mix.remembered.said', '0.4')
    """
    named = callable(value) and hasattr(value, "__qualname__")
    return f"{value.__module__}.{value.__qualname__}" if named else repr(value)
