"""What a user registers so that a run can be set back: checked before any work starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from overmix.errors import ConfigError
from overmix.real_numbers import is_real
from overmix.switch.bystanders import Bystanders

_OF_MODULES = frozenset(vars(nn.Module()))
EXAMPLE = 'state={"model": model, "optimizer": optimizer, "scheduler": scheduler}'


class Registered:
    """The objects that hold a training's state, by the names that the user gave them.

    Args:
        state: objects with ``state_dict`` and ``load_state_dict``, or torch generators.

    Raises:
        ConfigError: if one of them is something else.
    """

    def __init__(self, state: Mapping[str, Any] | None) -> None:
        if state is not None and not isinstance(state, Mapping):
            raise ConfigError("state", type(state).__name__, f"give the objects by name: {EXAMPLE}")
        self.objects: dict[str, Any] = dict(state or {})
        for name, part in self.objects.items():
            if not isinstance(name, str):
                raise ConfigError("state", name, f"names are strings: {EXAMPLE}")
            if not isinstance(part, torch.Generator) and (isinstance(part, type) or not _has_state(part)):
                kind = part.__name__ if isinstance(part, type) else type(part).__name__
                raise ConfigError(f"state[{name!r}]", kind, "give an object with state_dict and load_state_dict")

    def __bool__(self) -> bool:
        return bool(self.objects)

    @cached_property
    def bystanders(self) -> Bystanders:
        """What lives beside them."""
        return Bystanders(self)

    @property
    def optimizers(self) -> list[Optimizer]:
        """Whatever has parameter groups: wrapped optimizers are not always of torch's class."""
        optimizers = [part for part in self.objects.values() if hasattr(part, "param_groups")]
        return cast(list[Optimizer], optimizers)

    @property
    def modules(self) -> list[nn.Module]:
        """The registered models."""
        return [part for part in self.objects.values() if isinstance(part, nn.Module)]

    @property
    def scales_gradients(self) -> bool:
        """Whether a gradient scaler, registered or within an optimizer's wrapper, may leave out steps."""
        inside = [getattr(optimizer, "scaler", None) for optimizer in self.optimizers]
        return any(hasattr(scaler, "get_scale") for scaler in (*self.objects.values(), *inside))

    def parts(self) -> dict[str, Any]:
        """Return the registered objects and what they hold inside, by name: what is held comes before its holder.

        A wrapped optimizer (Fabric, accelerate, SAM, Lookahead) and a scheduler in a scheduler are looked through,
        since their wrapper need not say all of their state.
        """
        parts: dict[str, Any] = {}
        known = {id(part) for part in self.objects.values()}
        known |= {id(layer) for module in self.modules for layer in module.modules()}
        for name, part in self.objects.items():
            _add_held(name, part, parts, known)
            parts[name] = part
        return parts

    def named_parameters(self, parts: Mapping[str, Any] | None = None) -> dict[str, nn.Parameter]:
        """Return all parameters by name: of the models, then those that only an optimizer holds.

        Args:
            parts: what :meth:`parts` returned, where that is known: it looks through every module.
        """
        names, known = {}, set()
        for name, p in _named_parameters(self.parts() if parts is None else parts):
            if id(p) not in known:
                known.add(id(p))
                names[name] = p
        return names

    def trained(self, parts: Mapping[str, Any] | None = None) -> set[int]:
        """Return the ids of the parameters that registered optimizers train; see :meth:`named_parameters`."""
        parts = self.parts() if parts is None else parts
        groups = [group for part in parts.values() for group in getattr(part, "param_groups", ())]
        return {id(p) for group in groups for p in group["params"]}

    def check_complete(self) -> None:
        """Refuse to set back a part of a training only, which nobody would see.

        Raises:
            ConfigError: if there is no optimizer, a model's parameters or a scheduler are missing.
        """
        names = sorted(self.objects)
        if not self.optimizers:
            raise ConfigError("state", names, f"the policy sets the training back, register all of it: {EXAMPLE}")
        others = [part for part in self.objects.values() if not _is_torch_helper(part)]
        held = {id(p) for module in self.modules for p in module.parameters()}
        all_modules = len(self.modules) == len(others)
        trained = {id(p) for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]}
        if not others or (all_modules and not trained <= held):
            raise ConfigError("state", names, f"the optimizer trains parameters of no registered model: {EXAMPLE}")
        for optimizer in self.optimizers:
            if any("initial_lr" in group for group in optimizer.param_groups) and not self._has_scheduler_of(optimizer):
                raise ConfigError("state", names, f"the optimizer has a scheduler, register it too: {EXAMPLE}")

    def check_rates(self) -> None:
        """Refuse an optimizer without a learning rate, since a probe anneals it.

        Raises:
            ConfigError: if the rate of a group is missing, or no number.
        """
        for name, optimizer in self.objects.items():
            for at, group in enumerate(getattr(optimizer, "param_groups", ())):
                if rate_of(group) is None:
                    told = f"group {at}: lr is {group['lr']!r}" if "lr" in group else f"group {at} has no lr"
                    remedy = f"a probe anneals the rate that you give ({told}): give each group a number as its lr"
                    raise ConfigError(f"state[{name!r}]", type(optimizer).__name__, remedy)

    def _has_scheduler_of(self, optimizer: object) -> bool:
        # torch's can be asked for the last rate; timm's cannot, but say whose they are. One of torch's that wraps
        # another may not say it: then it counts as this one's.
        inside: dict[str, Any] = {"": optimizer}
        _add_held("", optimizer, inside, {id(optimizer)})
        schedulers = [part for part in self.objects.values() if is_scheduler(part)]
        theirs = [getattr(scheduler, "optimizer", optimizer) for scheduler in schedulers]
        return any(one is part for one in theirs for part in inside.values())


def rate_of(group: Mapping[str, Any]) -> float | None:
    """Return the learning rate of an optimizer's group; None where it has none that is a number."""
    rate = group.get("lr")
    return float(rate) if is_real(rate) or isinstance(rate, Tensor) else None


def _add_held(name: str, holder: Any, parts: dict[str, Any], known: set[int]) -> None:
    """Add what an object holds, and what that holds, unless it is known."""
    for inner, part in _held(holder):
        if id(part) not in known:
            known.add(id(part))
            _add_held(f"{name}.{inner}", part, parts, known)
            parts[f"{name}.{inner}"] = part


def _held(part: object) -> Iterator[tuple[str, Any]]:
    """Yield what of torch's own kinds an object holds as an attribute, or in a list or dictionary."""
    for place, holder in part.named_modules() if isinstance(part, nn.Module) else [("", part)]:
        for name, value in getattr(holder, "__dict__", {}).items():
            if name in _OF_MODULES and isinstance(holder, nn.Module):
                continue
            for at, inner in _members(value):
                if isinstance(inner, Optimizer | LRScheduler | GradScaler | nn.Module):
                    yield ".".join(str(step) for step in (place, name, at) if step != ""), inner


def _members(value: object) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return enumerate(value) if isinstance(value, list | tuple) else [("", value)]


def _named_parameters(parts: Mapping[str, Any]) -> Iterator[tuple[str, nn.Parameter]]:
    for part, module in parts.items():
        if isinstance(module, nn.Module):
            yield from ((f"{part}.{name}", p) for name, p in module.named_parameters())
    for part, optimizer in parts.items():
        for at, group in enumerate(getattr(optimizer, "param_groups", ())):
            yield from ((f"{part}.{at}.{place}", p) for place, p in enumerate(group["params"]))


def _has_state(part: object) -> bool:
    return all(callable(getattr(part, method, None)) for method in ("state_dict", "load_state_dict"))


def _is_torch_helper(part: object) -> bool:
    """Whether it certainly holds no model."""
    helper = isinstance(part, Optimizer | LRScheduler | torch.Generator) or hasattr(part, "param_groups")
    return helper or is_scheduler(part)


def is_scheduler(part: object) -> bool:
    """Whether it can be asked for the last rate, or belongs to an optimizer and holds no model."""
    return hasattr(part, "get_last_lr") or (
        isinstance(getattr(part, "optimizer", None), Optimizer)
        and not isinstance(part, nn.Module)
        and not any(isinstance(value, nn.Module) for value in getattr(part, "__dict__", {}).values())
    )
