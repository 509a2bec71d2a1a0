"""The names under which policies are known in study files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from overmix.errors import ConfigError
from overmix.switch.policy import Policy

P = TypeVar("P", bound=type[Policy])

_POLICIES: dict[str, type[Policy]] = {}


def register_policy(name: str) -> Callable[[P], P]:
    """Make a policy usable by a name in study files: ``schedule: {name: {setting: value}}``.

    Args:
        name: such as ``"auto"``.

    Raises:
        ConfigError: if the name is taken, or the policy is no dataclass whose settings have defaults.

    Example:
        >>> from overmix.switch import Decision, History
        >>> @register_policy("third")
        ... @dataclasses.dataclass(frozen=True)
        ... class Third(Policy):
        ...     def decide(self, history: History) -> Decision:
        ...         return Decision(history.epochs // 3, "a third is enough")
        >>> registered_policies()["third"]()
        Third()
        >>> unregister_policy("third")
    """

    def add(policy: P) -> P:
        if name in _POLICIES:
            raise ConfigError("policy", name, "choose another name: this one is registered already")
        fields: dict[str, dataclasses.Field[Any]] | None = getattr(policy, "__dataclass_fields__", None)
        if fields is None:
            raise ConfigError("policy", name, "make it a frozen dataclass: its settings are its fields")
        nothing = dataclasses.MISSING
        without = [f.name for f in fields.values() if f.default is nothing and f.default_factory is nothing]
        if without:
            raise ConfigError("policy", name, f"give a default to {', '.join(without)}")
        _POLICIES[name] = policy
        return policy

    return add


def unregister_policy(name: str) -> None:
    """Forget a registered policy, for tests and notebooks that define one twice."""
    _POLICIES.pop(name, None)


def registered_policies() -> dict[str, type[Policy]]:
    """Return the registered policies by name, sorted."""
    return dict(sorted(_POLICIES.items()))
