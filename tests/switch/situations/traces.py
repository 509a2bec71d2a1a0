"""Everything that a later step may depend on, to the byte."""

import hashlib
import random
import types
from collections import deque

import numpy as np
import torch
from torch import nn


def left_by(training):
    """SHA-256 of all that is there, by the way that leads to it: of modules, flags and gradients as well."""
    parts = {"training": training, "torch": torch.get_rng_state(), "python": random.getstate()}
    return _Tracks({**parts, "numpy": np.random.get_state()}).hashes  # noqa: NPY002


class _Tracks:
    def __init__(self, value):
        self.hashes, self.seen = {}, {}
        self.follow("", value)

    def note(self, path, content):
        self.hashes[path] = hashlib.sha256(content).hexdigest()

    def follow(self, path, value):
        if isinstance(value, int | float | str | bytes | bool | type(None) | np.generic):
            self.note(path, f"{type(value).__name__} {value!r}".encode())
            return
        if id(value) in self.seen:  # the same object again
            self.note(path, self.seen[id(value)][0].encode())
            return
        self.seen[id(value)] = path, value  # held, so that no other gets its id
        if isinstance(value, torch.Tensor):
            self.follow_tensor(path, value)
        elif isinstance(value, np.ndarray):
            self.note(path, value.tobytes())
        elif isinstance(value, torch.Generator):
            self.follow(path, value.get_state())
        elif isinstance(value, random.Random):
            self.follow(path, value.getstate())
        elif isinstance(value, np.random.Generator):
            self.follow(path, value.bit_generator.state)
        elif isinstance(value, dict):
            self.note(path, str(len(value)).encode())
            for number, (key, part) in enumerate(value.items()):  # an optimizer's state has tensors for keys
                self.follow(f"{path}.{number if isinstance(key, torch.Tensor) else key}", part)
        elif isinstance(value, list | tuple | set | deque):
            self.note(path, str(len(value)).encode())
            for number, part in enumerate(sorted(value) if isinstance(value, set) else value):
                self.follow(f"{path}.{number}", part)
        elif hasattr(value, "__dict__") and not isinstance(value, type | types.FunctionType | types.ModuleType):
            held = vars(value)
            self.follow(path + ".", {key: held[key] for key in sorted(held) if key not in UNTOLD})

    def follow_tensor(self, path, value):
        what = f"{value.dtype} {tuple(value.shape)} {value.requires_grad} {value.layout}".encode()
        if value.is_meta or torch.nn.parameter.is_lazy(value):
            self.note(path, what)
            return
        dense = value.detach().to_dense() if value.layout is not torch.strided else value.detach()
        content = dense.resolve_conj().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        self.note(path, what + content)
        if value.is_leaf:
            self.follow(path + " grad", value.grad)


# Hooks and caches of torch's own: of no value for what a training computes, and with addresses in them.
UNTOLD = {
    *(name for name in vars(nn.Module()) if name.endswith(("_hooks", "_hooks_with_kwargs", "_hooks_always_called"))),
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_zero_grad_profile_name",
    "_compiled_call_impl",
    "_flat_weight_refs",
    "_warned_capturable_if_run_uncaptured",
}


def memory(training):
    """The memory that captured graphs, buckets and other holders look at, by a name."""
    places = {}
    for name, part in training.state().items():
        if isinstance(part, nn.Module):
            tensors = {**dict(part.named_parameters()), **dict(part.named_buffers())}
            if training.keeps_gradients:
                tensors |= {f"{key} grad": p.grad for key, p in part.named_parameters() if p.grad is not None}
            places |= {f"{name} {key}": value.data_ptr() for key, value in tensors.items()}
        if isinstance(part, torch.optim.Optimizer):
            for number, group in enumerate(part.param_groups):
                places |= {f"{name} {number} {key}": v.data_ptr() for key, v in group.items() if torch.is_tensor(v)}
                places[f"{name} {number}"] = id(group)
                for at, p in enumerate(group["params"]):
                    state = part.state.get(p, {})
                    places |= {
                        f"{name} {number} {at} {k}": v.data_ptr() for k, v in state.items() if torch.is_tensor(v)
                    }
    return places
