"""A stack of models of one shape, whose parameters carry a leading replica dimension."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from overmix._typing import Float, Shaped
from overmix.mix import MixPlan
from overmix.train.dropout import KeyedDropout, key_dropout
from overmix.train.perceptron import perceptron_layers, stacked_perceptron

ModelFactory = Callable[[], nn.Module]
"""Builds a freshly initialised model."""

Execution = Literal["stacked", "looped"]
"""``"stacked"``: one call of torch.func.vmap serves all replicas. ``"looped"``: one call per replica."""


def seeded_model(factory: ModelFactory, seed: int) -> nn.Module:
    """Return a model initialised under a forked generator: equal for equal seeds, and the caller's state is kept."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed the caller's GPUs too.
        torch.default_generator.manual_seed(seed)
        return key_dropout(factory())


def choose_execution(factory: ModelFactory, sample: Tensor, device: torch.device) -> Execution:
    """Return how a stack of such models is best run; a function of the model and the device alone, never of timing.

    Convolutions are looped on the CPU, where stacking them is slower. A model that ``torch.func.vmap`` refuses
    (recurrent layers, randomness of its own, control flow on data) is looped everywhere.

    Args:
        factory: builds the model.
        sample: a small batch of shape (B, ...) with B >= 2.
        device: where the training will run.
    """
    model = seeded_model(factory, seed=0)
    convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    if device.type == "cpu" and any(isinstance(module, convolutions) for module in model.modules()):
        return "looped"
    # Whatever the error, the loop runs any module, and shows the module's own error if it has one.
    return "stacked" if stacking_error(factory, sample) is None else "looped"


def loops_on_cpu(execution: Execution, device: torch.device) -> bool:
    """Return whether replicas are trained one after the other on the CPU, as those with convolutions are there."""
    return execution == "looped" and device.type == "cpu"


def stacking_error(factory: ModelFactory, sample: Tensor) -> Exception | None:
    """Return what a small stack of such models raises, None if it runs; see :func:`choose_execution`."""
    try:
        pair = StackedModel(factory, seeds=[0, 1], device=torch.device("cpu"), execution="stacked")
        pair.train()
        logits = pair(sample.cpu().float().expand(2, *sample.shape))
        torch.autograd.grad(logits.sum(), pair.trainable, allow_unused=True)
    except Exception as error:
        return error
    return None


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    gpus = range(torch.cuda.device_count()) if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        # torch.manual_seed would format a traceback for each kind of device that is not there: 0.3 ms a call.
        torch.default_generator.manual_seed(seed)
        if gpus:
            torch.cuda.manual_seed_all(seed)
        yield


class Bound:
    """A model with the parameters and buffers of one replica, called and looked into like the module itself.

    Args:
        module: the module.
        tensors: its parameters and buffers by name; buffers that the module replaces are written back here.
    """

    def __init__(self, module: nn.Module, tensors: dict[str, Tensor]) -> None:
        self._module, self._tensors = module, tensors
        self.get_submodule, self.named_modules = module.get_submodule, module.named_modules

    def __call__(self, *inputs: Any) -> Any:
        """Return the module's output."""
        # One dictionary, not a tuple of two: functional_call writes replaced buffers back into it.
        return functional_call(self._module, self._tensors, inputs)


class StackedModel:
    """R models with parameters of shape (R, ...), called on R batches at once.

    Args:
        factory: builds one model.
        seeds: seed of each replica's initialisation; its length is R.
        device: where the parameters live. Initialisation is on the CPU, so that it is the same for every device.
        execution: see :data:`Execution`.
    """

    def __init__(self, factory: ModelFactory, seeds: Sequence[int], device: torch.device, execution: Execution) -> None:
        models = [seeded_model(factory, seed) for seed in seeds]
        self.execution, self.device = execution, device
        self.parameters = {
            name: torch.stack([dict(m.named_parameters())[name].detach() for m in models]).to(device)
            for name, _ in models[0].named_parameters()
        }
        if loops_on_cpu(execution, device):
            self.parameters = {name: _channels_last(p) for name, p in self.parameters.items()}
        self.buffers = {
            name: torch.stack([dict(m.named_buffers())[name] for m in models]).to(device)
            for name, _ in models[0].named_buffers()
        }
        for name, parameter in models[0].named_parameters():
            self.parameters[name].requires_grad_(parameter.requires_grad)
        self.base = models[0].to(device)
        self._dropouts = {
            f"{name}.key" if name else "key": module
            for name, module in self.base.named_modules()
            if isinstance(module, KeyedDropout)
        }
        self._perceptron = perceptron_layers(self.base)
        self.n_replicas = len(models)
        self._init_seeds = seeds

    @property
    def trainable(self) -> list[Tensor]:
        """The parameters that are trained, each of shape (R, ...)."""
        return [p for p in self.parameters.values() if p.requires_grad]

    @property
    def perceptron(self) -> list[Tensor] | None:
        """The parameters layer by layer, weight then bias, if the stack is one of perceptrons that are all trained."""
        if self.execution != "stacked" or self._perceptron is None or len(self.trainable) < len(self.parameters):
            return None
        return [self.parameters[name] for name in self._perceptron]

    @property
    def draws(self) -> bool:
        """Whether anything in the models may draw random numbers: where they are looped, any module could."""
        return self.uses_dropout or self.execution == "looped"

    @property
    def uses_dropout(self) -> bool:
        """Whether :meth:`set_dropout_keys` has an effect."""
        return bool(self._dropouts)

    def set_dropout_keys(self, keys: Tensor) -> None:
        """Set the dropout keys of the next step, shape (R,), int64."""
        for name in self._dropouts:
            self.buffers[name].copy_(keys)

    def train(self) -> None:
        """Switch all replicas to training mode."""
        self.base.train()

    def eval(self) -> None:
        """Switch all replicas to evaluation mode."""
        self.base.eval()

    def __call__(
        self, x: Shaped[Tensor, "replicas batch *sample"], seeds: Sequence[int] | np.ndarray | None = None
    ) -> Float[Tensor, "replicas batch *output"]:
        """Return the output of replica r on batch r, shape (R, B, ...). BatchNorm's buffers are updated in place.

        Args:
            x: one batch per replica, shape (R, B, ...).
            seeds: one per replica, for modules that draw from PyTorch's generator by themselves, by default the seeds
                of the initialisation; such modules are always looped over. The caller's generator is left as it was.
        """
        if self.execution == "stacked" and self._perceptron is not None:
            return stacked_perceptron(x, [self.parameters[name] for name in self._perceptron])
        return self.map(lambda model, batch: model(batch), x, seeds=seeds)

    def map(
        self, function: Callable[..., Tensor], *arguments: Any, seeds: Sequence[int] | np.ndarray | None = None
    ) -> Tensor:
        """Return ``function(model_r, *arguments_r)`` of every replica, stacked; buffers are updated in place.

        Args:
            function: takes a :class:`Bound` model of one replica; it may look inside of it, as recipes do.
            *arguments: tensors and plans whose shapes begin with R.
            seeds: see :meth:`__call__`.
        """
        if self.execution == "stacked":
            value, buffers = vmap(partial(self._call_one, function))(self.parameters, self.buffers, *arguments)
            self._keep(buffers)
            stacked: Tensor = value
            return stacked
        return self._looped([function] * self.n_replicas, arguments, seeds)

    def choose(
        self,
        on: Sequence[bool] | np.ndarray,
        first: Callable[..., Tensor],
        second: Callable[..., Tensor],
        *arguments: Any,
        seeds: Sequence[int] | np.ndarray | None = None,
    ) -> Tensor:
        """Return ``first`` of the replicas where ``on``, ``second`` of the others, with the buffers of each one's own.

        A stack does both, and takes for each replica what is its own; that costs two passes.

        Args:
            on: one for each replica, on the host.
            first: see :meth:`map`.
            second: likewise.
            *arguments: see :meth:`map`.
            seeds: see :meth:`__call__`.
        """
        if all(on) or not any(on):
            return self.map(first if on[0] else second, *arguments, seeds=seeds)
        if self.execution == "looped":
            return self._looped([first if takes_first else second for takes_first in on], arguments, seeds)
        where = torch.as_tensor(np.asarray(on, dtype=bool)).to(self.device, non_blocking=True)
        value, buffers = vmap(partial(self._choose_one, first, second))(
            where, self.parameters, self.buffers, *arguments
        )
        self._keep(buffers)
        stacked: Tensor = value
        return stacked

    def _looped(self, functions: Sequence[Callable[..., Tensor]], arguments: Sequence[Any], seeds: Any) -> Tensor:
        # unbind, not indexing: its backward is one stack instead of R full-size sums.
        parameters = {name: p.unbind(0) for name, p in self.parameters.items()}
        values = []
        seeds = self._init_seeds if seeds is None else seeds
        for r, function in enumerate(functions):
            own_parameters = {name: p[r] for name, p in parameters.items()}
            own_buffers = {name: b[r] for name, b in self.buffers.items()}
            own_arguments = (argument.at(r) if isinstance(argument, MixPlan) else argument[r] for argument in arguments)
            with _seeded(int(seeds[r]), self.device):
                value, buffers = self._call_one(function, own_parameters, own_buffers, *own_arguments)
            values.append(value)
            self._keep(buffers, r)
        return torch.stack(values)

    def _call_one(
        self,
        function: Callable[..., Tensor],
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        *arguments: Any,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the value, and the buffers that the model replaced (``self.mean = ...``) instead of updating."""
        for layer in self._dropouts.values():
            layer.calls = 0
        tensors = {**parameters, **buffers}
        value = function(Bound(self.base, tensors), *arguments)
        return value, {name: tensors[name] for name, b in buffers.items() if tensors[name] is not b}

    def _choose_one(
        self,
        first: Callable[..., Tensor],
        second: Callable[..., Tensor],
        on: Tensor,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        *arguments: Any,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        def after(function: Callable[..., Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
            own_buffers = {name: buffer.clone() for name, buffer in buffers.items()}
            value, replaced = self._call_one(function, parameters, own_buffers, *arguments)
            return value, {**own_buffers, **replaced}

        (one, one_buffers), (other, other_buffers) = after(first), after(second)
        kept = {name: torch.where(on, one_buffers[name], other_buffers[name]) for name in buffers}
        return torch.where(on, one, other), kept

    @torch.no_grad()
    def _keep(self, replaced: dict[str, Tensor], r: int | slice = slice(None)) -> None:
        for name, buffer in replaced.items():
            self.buffers[name][r].copy_(buffer)


def _channels_last(parameter: Tensor) -> Tensor:
    """Return kernels of shape (R, out, in, h, w) with the channels innermost in memory; anything else as it is.

    Each replica's own kernels then are ``torch.channels_last``, and with them all that its convolutions return: what
    oneDNN computes in, where the usual order costs copies on the way in and out.
    """
    if parameter.dim() != 5:
        return parameter
    n_replicas, channels_out, channels_in, height, width = parameter.shape
    # Not contiguous(): with one channel both orders are the same bytes, and it would keep the other's strides.
    innermost = parameter.new_empty(n_replicas, channels_out, height, width, channels_in)
    return innermost.permute(0, 1, 4, 2, 3).copy_(parameter)
