"""What a user registers so that a run can be set back: checked before any work starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from overmix.errors import ConfigError
from overmix.switch.steps import innermost

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

    @property
    def optimizers(self) -> list[Optimizer]:
        """Whatever has parameter groups: wrapped optimizers are not always of torch's class."""
        found = [part for part in self.objects.values() if hasattr(part, "param_groups")]
        return cast(list[Optimizer], found)

    @property
    def modules(self) -> list[nn.Module]:
        """The registered models."""
        return [part for part in self.objects.values() if isinstance(part, nn.Module)]

    @property
    def norms(self) -> list[_NormBase]:
        """The models' layers that keep running statistics of what they saw."""
        layers = [layer for module in self.modules for layer in module.modules()]
        return [layer for layer in layers if isinstance(layer, _NormBase) and layer.track_running_stats]

    def parameters(self) -> Iterator[torch.Tensor]:
        """Yield what the optimizers train, in their order."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                yield from group["params"]

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
        if not others or (all_modules and any(id(p) not in held for p in self.parameters())):
            raise ConfigError("state", names, f"the optimizer trains parameters of no registered model: {EXAMPLE}")
        for optimizer in self.optimizers:
            scheduled = any("initial_lr" in group for group in optimizer.param_groups)
            if scheduled and not self._has_scheduler_of(optimizer):
                raise ConfigError("state", names, f"the optimizer has a scheduler, register it too: {EXAMPLE}")

    def _has_scheduler_of(self, optimizer: Optimizer) -> bool:
        # torch's can be asked for the last rate; timm's cannot, but say whose they are. One of torch's that wraps
        # another may not say it: then it counts as this one's.
        # Either of both may be wrapped, as Fabric and accelerate do.
        schedulers = [part for part in self.objects.values() if _is_scheduler(part)]
        theirs = [getattr(scheduler, "optimizer", optimizer) for scheduler in schedulers]
        return any(innermost(one) is innermost(optimizer) for one in theirs)


def _has_state(part: object) -> bool:
    return all(callable(getattr(part, method, None)) for method in ("state_dict", "load_state_dict"))


def _is_torch_helper(part: object) -> bool:
    """Whether it certainly holds no model."""
    helper = isinstance(part, Optimizer | LRScheduler | torch.Generator) or hasattr(part, "param_groups")
    return helper or _is_scheduler(part)


def _is_scheduler(part: object) -> bool:
    """Whether it can be asked for the last rate, or belongs to an optimizer and holds no model."""
    return hasattr(part, "get_last_lr") or (
        isinstance(getattr(part, "optimizer", None), Optimizer)
        and not isinstance(part, nn.Module)
        and not any(isinstance(value, nn.Module) for value in getattr(part, "__dict__", {}).values())
    )
