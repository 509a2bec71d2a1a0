"""Snapshots: a training as it stood, and the way back to it, bit for bit and in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from overmix.errors import ConfigError, OvermixError
from overmix.switch import module_state, optimizer_state
from overmix.switch.attributes import put_back_all, read_all
from overmix.switch.copies import Memo, check_copied, copied, copied_tensor, put_back_tensor, same, same_tensor
from overmix.switch.generators import generator_states, set_generator_states
from overmix.switch.registered import Registered, is_scheduler, rate_of

_HOOKS = {
    f"_optimizer_{what}_{when}_hooks" for what in ("step", "state_dict", "load_state_dict") for when in ("pre", "post")
}
_LEFT_ALONE = frozenset({"param_groups", "state", "defaults", "optimizer"} | _HOOKS)
"""Attributes of optimizers and schedulers that are set back as their state, and hooks."""


Snapshot: TypeAlias = dict[str, Any]
"""Plain numbers, strings, lists and tensors: ``objects`` (their states, by name), ``modules``, ``parameters``, ..."""


def take(registered: Registered, rank: int = 0) -> Snapshot:
    """Return copies of all that a training changes, on the devices where it lies.

    Beyond what ``state_dict`` gives: buffers that are not persistent, gradients that are still accumulating, which
    parameters are trained, the plain attributes of modules and optimizers (``training``, rates, counters), and the
    global random generators.

    Raises:
        ConfigError: if a parameter has no values, or a state holds what cannot be copied.
    """
    parts = registered.parts()
    parameters = registered.named_parameters(parts)
    _check_values(parameters)
    memo: Memo = {}  # memory that is held twice, by a model and its state_dict, is copied once
    return {
        "objects": {name: _copied_state(name, part, memo) for name, part in parts.items()},
        "modules": {name: module_state.read(part, memo) for name, part in parts.items() if isinstance(part, nn.Module)},
        "attributes": _attributes(parts, memo),
        "parameters": {name: copied_tensor(p, memo) for name, p in parameters.items()},
        "requires_grad": {name: p.requires_grad for name, p in parameters.items()},
        "gradients": {name: copied_tensor(p.grad, memo) for name, p in parameters.items() if p.grad is not None},
        "lr": [rate_of(group) for optimizer in registered.optimizers for group in optimizer.param_groups],
        "generators": generator_states(),
        "rank": rank,
        "bystanders": registered.bystanders.note(),
    }


def check_states(registered: Registered) -> None:
    """Refuse a training whose state cannot be copied, before the work that a snapshot is to save.

    Raises:
        ConfigError: that names the object and the part of its state.
    """
    for name, part in registered.parts().items():
        check_copied(f"state[{name!r}]", _state_of(part))


def restore(registered: Registered, snapshot: Snapshot, rank: int = 0) -> None:
    """Go back to a snapshot; the objects stay the user's own, and the snapshot can be used again.

    Tensors keep their identity and memory: a captured graph, a bucket of distributed training or a second holder reads
    what was set back. The generators are set back only on the rank that they were taken on: ranks that share a file
    must not begin to draw the same dropout masks.

    Raises:
        OvermixError: if something changed that cannot be set back; the rest is set back first.
    """
    parts = registered.parts()
    if parts.keys() != snapshot["objects"].keys():
        raise OvermixError(
            f"state: {sorted(parts)} is registered, {sorted(snapshot['objects'])} was: it cannot be set back"
        )
    complaints = _trained_by_others(registered, parts, snapshot)
    for name, part in parts.items():
        if optimizer_state.is_standard(part):
            _set_back_optimizer(name, part, snapshot["objects"][name])
    _check_same_parameters(registered.named_parameters(parts), snapshot["parameters"])
    for name, part in parts.items():
        if _loads_itself(part):
            complaints += _load(name, part, snapshot["objects"][name])
    _set_back_parameters(registered.named_parameters(parts), snapshot)
    for name, part in parts.items():
        if name in snapshot["modules"]:
            module_state.put_back(part, snapshot["modules"][name])
        if name in snapshot["attributes"]:
            put_back_all(part, snapshot["attributes"][name], _LEFT_ALONE)
        if not same(_state_of(part), snapshot["objects"][name]):
            complaints += _load(name, part, snapshot["objects"][name])
    if snapshot["rank"] == rank:
        set_generator_states(snapshot["generators"])
    complaints += registered.bystanders.complaints(snapshot["bystanders"])
    if complaints:
        raise OvermixError(complaints[0])


def _check_values(parameters: Mapping[str, nn.Parameter]) -> None:
    for name, p in parameters.items():
        if torch.nn.parameter.is_lazy(p) or p.is_meta:
            remedy = "move the model off the meta device" if p.is_meta else "pass a batch through the lazy model first"
            raise ConfigError("state", name, f"a parameter without values cannot be set back: {remedy}")


def _attributes(parts: Mapping[str, Any], memo: Memo) -> dict[str, Any]:
    """Return the plain attributes of torch's own kinds; of a user's object what counts is what its state says."""
    return {
        name: read_all(part, memo, _LEFT_ALONE)
        for name, part in parts.items()
        if isinstance(part, Optimizer | LRScheduler | GradScaler) or is_scheduler(part)
    }


def _state_of(part: Any) -> Any:
    return part.get_state() if isinstance(part, torch.Generator) else part.state_dict()


def _copied_state(name: str, part: Any, memo: Memo) -> Any:
    state = _state_of(part)
    try:
        return copied(state, memo)
    except Exception:  # it has come since the training began
        check_copied(f"state[{name!r}]", state)
        raise


def _set_back_optimizer(name: str, optimizer: Any, saved: Mapping[str, Any]) -> None:
    if not optimizer_state.fits(optimizer, saved):
        raise OvermixError(f"state[{name!r}]: its groups have other parameters than before: it cannot be set back")
    optimizer_state.set_back(optimizer, saved)


def _trained_by_others(registered: Registered, parts: Mapping[str, Any], snapshot: Snapshot) -> list[str]:
    """Complain of parameters that change without a registered optimizer: what changes them may have a memory."""
    trained, now, then = registered.trained(parts), registered.named_parameters(parts), snapshot["parameters"]
    of_trained_models = {
        id(p)
        for module in registered.modules
        if any(id(p) in trained for p in module.parameters())
        for p in module.parameters()
    }
    for name, p in now.items():
        # A copy that is averaged, not trained, has no gradient, and is a model of its own.
        may_be_trained = p.requires_grad and (p.grad is not None or id(p) in of_trained_models)
        if may_be_trained and id(p) not in trained and name in then and not same_tensor(p, then[name]):
            return [
                f"state: {name} changes, and no registered optimizer trains it: register what does, so that its memory "
                "is set back; where nothing does, set requires_grad to False"
            ]
    return []


def _check_same_parameters(now: Mapping[str, nn.Parameter], then: Mapping[str, Tensor]) -> None:
    for name in sorted(now.keys() ^ then.keys()):
        what = "has come" if name in now else "has gone"
        raise OvermixError(f"state: parameter {name} {what} since: a model that is rebuilt cannot be set back")
    for name, p in now.items():
        if (p.shape, p.dtype) != (then[name].shape, then[name].dtype):
            raise OvermixError(f"state: parameter {name} has another shape or type since: it cannot be set back")


def _set_back_parameters(parameters: Mapping[str, nn.Parameter], snapshot: Snapshot) -> None:
    for name, p in parameters.items():
        put_back_tensor(p, snapshot["parameters"][name])
        if p.requires_grad != snapshot["requires_grad"][name]:
            p.requires_grad_(snapshot["requires_grad"][name])
        gradient = snapshot["gradients"].get(name)
        # In place where there is one: distributed training hands out views into its buckets.
        p.grad = None if gradient is None else put_back_tensor(p.grad, gradient, p.device)


def _loads_itself(part: object) -> bool:
    """Whether a model loads in a way of its own, and may hold what no tensor of it shows."""
    return isinstance(part, nn.Module) and type(part).load_state_dict is not nn.Module.load_state_dict


def _load(name: str, part: Any, saved: Any) -> list[str]:
    """Let an object take back what it gave; complain if it does not."""
    if isinstance(part, torch.Generator):
        part.set_state(saved.cpu())
        return []
    # A copy, since objects keep what they are given, and go on to change it.
    part.load_state_dict(copied(saved, {}))
    if isinstance(part, LRScheduler):  # it keeps attributes that have come since
        for extra in part.state_dict().keys() - saved.keys():
            vars(part).pop(extra, None)
    if same(_state_of(part), saved):
        return []
    return [
        f"state[{name!r}]: {type(part).__name__}.load_state_dict does not bring back what state_dict gave: "
        "the training cannot be set back"
    ]
