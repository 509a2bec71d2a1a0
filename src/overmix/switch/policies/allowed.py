"""What the settings of a policy may be: declared by name, and checked as the policy is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Protocol

from overmix.errors import ConfigError
from overmix.real_numbers import is_real
from overmix.switch.policy import Policy


class SettingRule(Protocol):
    """Says what a setting may be."""

    @property
    def remedy(self) -> str:
        """What to do if it is something else, in the imperative."""
        ...

    def takes(self, value: Any) -> bool:
        """Return whether it may be this."""
        ...


@dataclass(frozen=True)
class Within:
    """Numbers from ``low`` to ``high``.

    Args:
        low: the lowest.
        high: the highest.
        remedy: what to use instead.
        without: ends that are not among them.

    Example:
        >>> share = Within(0, 1, "use a share in (0, 1]", without=(0,))
        >>> [share.takes(value) for value in (0, 0.5, 1, "0.5", math.nan)]
        [False, True, True, False, False]
    """

    low: float
    high: float
    remedy: str
    without: tuple[float, ...] = ()

    def takes(self, value: Any) -> bool:
        """Return whether it is a number among them."""
        return is_real(value) and self.low <= value <= self.high and value not in self.without


@dataclass(frozen=True)
class Named:
    """One of some names."""

    names: tuple[str, ...]

    @property
    def remedy(self) -> str:
        """All of them."""
        return f"use one of {', '.join(self.names)}"

    def takes(self, value: Any) -> bool:
        """Return whether it is one of them."""
        return isinstance(value, str) and value in self.names


@dataclass(frozen=True)
class Flag:
    """True or False."""

    remedy: str = "use True or False"

    def takes(self, value: Any) -> bool:
        """Return whether it is one of both, not 1 or 0."""
        return isinstance(value, bool)


@dataclass(frozen=True)
class Increasing:
    """Shares of the training in [0, 1), one or more, each larger than the one before it."""

    remedy: str = "use increasing shares of the training in [0, 1)"

    def takes(self, value: Any) -> bool:
        """Return whether it is a tuple of these."""
        if not isinstance(value, tuple) or not value or not all(map(is_real, value)):
            return False
        return 0 <= value[0] and value[-1] < 1 and all(a < b for a, b in pairwise(value))


AT_LEAST_0 = Within(0, math.inf, "use a number >= 0", without=(math.inf,))


class WithAllowed(Policy):
    """A policy that declares what each of its settings may be.

    Raises:
        ConfigError: for the first setting that is something else.

    Example:
        >>> @dataclass(frozen=True)
        ... class Later(WithAllowed):
        ...     patience: float = 0.5
        ...     allowed: ClassVar[Mapping[str, SettingRule]] = {"patience": AT_LEAST_0}
        ...     def decide(self, history): ...
        >>> Later(patience=-1)
        Traceback (most recent call last):
        overmix.errors.ConfigError: patience = -1: use a number >= 0
    """

    allowed: ClassVar[Mapping[str, SettingRule]] = {}

    def __post_init__(self) -> None:
        for name, rule in self.allowed.items():
            value = getattr(self, name)
            if not rule.takes(value):
                raise ConfigError(name, value, rule.remedy)
