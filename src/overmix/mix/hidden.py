"""Hidden space: the output of a layer inside the model is mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overmix.errors import ConfigError, did_you_mean
from overmix.mix.plan import MixPlan
from overmix.mix.side import Need
from overmix.mix.space import Space, as_mixable, gather_partners, map_tensors, weight_like

INPUT = "input"
"""The name of the place before the first layer."""


@dataclass(frozen=True)
class HiddenSpace(Space):
    """``h' = lam h_i + (1 - lam) h_j`` with h the output of one layer, chosen anew for every batch.

    All candidate layers are mixed in every forward pass, those that were not chosen with lam = 1, which changes
    nothing: so replicas that chose different layers run as one stack, and no choice is ever copied to the host.

    Args:
        layers: names of the candidates, as ``model.named_modules()`` lists them; ``"input"`` is the place before the
            first.

    Raises:
        ConfigError: if there is no layer, or one is named twice.
    """

    layers: Sequence[str] = (INPUT,)

    def __post_init__(self) -> None:
        if not self.layers or isinstance(self.layers, str) or len(set(self.layers)) < len(self.layers):
            raise ConfigError("layers", self.layers, "name at least one layer, each once, as in ('input', 'layer1')")
        object.__setattr__(self, "layers", tuple(self.layers))

    @property
    def needs(self) -> frozenset[Need]:
        """The model, unless the input is the only place."""
        return frozenset() if self.layers == (INPUT,) else frozenset({"hidden"})

    @property
    def is_linear(self) -> bool:
        """Yes."""
        return True

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return the index of the chosen layer, once for each sample: shape (B,), int64."""
        return torch.full((batch_size,), int(rng.integers(len(self.layers))))

    def plan(self, drawn: Tensor | None, partner: Tensor, lam: Tensor, sample_shape: tuple[int, ...] | None) -> MixPlan:
        """Return the plan with the chosen layer."""
        return MixPlan(partner, lam, choice=drawn)

    def combine(self, plan: MixPlan, x: Tensor, partners: Tensor) -> Tensor:
        """Return the mixture of inputs where the input was chosen, the inputs themselves elsewhere."""
        if INPUT not in self.layers:
            return x
        lam = self._lam_at(plan, INPUT)
        return partners.lerp_(x, weight_like(lam, x))

    def _lam_at(self, plan: MixPlan, layer: str) -> Tensor:
        if plan.choice is None:
            raise ConfigError("plan", plan, "it has no choice of a layer: it is the plan of another recipe")
        return torch.where(plan.choice == self.layers.index(layer), plan.lam, 1.0)

    def check_model(self, model: Callable[..., Any]) -> None:
        """Refuse a model without one of the layers."""
        for name in self._hidden:
            find_layer(model, name)

    @property
    def _hidden(self) -> list[str]:
        return [name for name in self.layers if name != INPUT]

    @contextmanager
    def inside(self, model: Callable[..., Any], plan: MixPlan) -> Iterator[None]:
        """Mix hidden states while the context is open; the hooks are removed at its end, also after an exception.

        Args:
            model: a module, or anything that finds its layers with ``get_submodule(name)``.
            plan: the plan to apply.

        Raises:
            ConfigError: if a layer does not exist, or is called never or more than once in the context: then the labels
                would say something else than the hidden states.
        """
        calls: Counter[str] = Counter()

        def hook_of(name: str) -> Callable[..., Any]:
            def hook(module: nn.Module, args: Any, output: Any) -> Any:
                calls[name] += 1
                return self._mix_hidden(replace(plan, lam=self._lam_at(plan, name)), output)

            return hook

        hidden = self._hidden
        layers = [find_layer(model, name) for name in hidden]
        with ExitStack() as hooks:
            for name, layer in zip(hidden, layers, strict=True):
                hooks.callback(layer.register_forward_hook(hook_of(name)).remove)
            yield
        for name in hidden:
            if calls[name] != 1:
                raise ConfigError(
                    "layers", name, f"choose another layer: this one was called {calls[name]} times in a forward pass"
                )

    def _mix_hidden(self, plan: MixPlan, output: Any) -> Any:
        def mixed(state: Tensor) -> Tensor:
            floating = as_mixable(state)
            partners = gather_partners(floating, plan.partner)
            # Not in place, unlike inputs: torch.func.vmap has no rule for that.
            return torch.lerp(partners, floating, weight_like(plan.lam, floating))

        return map_tensors(mixed, output)


def find_layer(model: Any, name: str) -> nn.Module:
    """Return the layer of that name.

    Raises:
        ConfigError: if there is none, with the nearest name that there is.
    """
    try:
        layer: nn.Module = model.get_submodule(name)
    except AttributeError:
        known = _names(model)
        raise ConfigError("layers", name, did_you_mean(name, known) if known else "give a torch.nn.Module") from None
    return layer


def _names(model: Any) -> Sequence[str]:
    if not isinstance(model, nn.Module):
        return []
    return [INPUT, *(name for name, _ in model.named_modules() if name)]
