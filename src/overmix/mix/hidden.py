"""Hidden space: the output of a layer inside the model is mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overmix.errors import ConfigError, did_you_mean
from overmix.mix.masks import MaskRule, Masks, check_masks, is_countable, mixed_mask, rule_for
from overmix.mix.plan import MixPlan
from overmix.mix.recomputed import PassHook, hooked
from overmix.mix.side import Need
from overmix.mix.space import Space, as_mixable, gather_partners, map_named, map_tensors, weight_like

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
        masks: what becomes of integers and booleans in the input, see :class:`InputSpace`. Where the input is no
            candidate, tokens and what has no rule are left alone. A mask is one for the whole forward pass: layers
            before the one that is mixed see it too.

    Raises:
        ConfigError: if there is no layer, or one is named twice, or ``masks`` is no rule.
    """

    layers: Sequence[str] = (INPUT,)
    masks: Masks = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.layers or isinstance(self.layers, str) or len(set(self.layers)) < len(self.layers):
            raise ConfigError("layers", self.layers, "name at least one layer, each once, as in ('input', 'layer1')")
        object.__setattr__(self, "layers", tuple(self.layers))
        check_masks(self.masks)

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

    def mask_rule(self, name: str | None) -> MaskRule | None:
        """Return the rule that was given, for all or for this name; what the input does not mix is left alone."""
        return rule_for(self.masks, name) or (None if INPUT in self.layers else "keep")

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the batch with its inputs mixed, or only its masks where the input is no candidate."""
        if INPUT in self.layers:
            return super().apply(plan, x)

        def masked(tensor: Tensor, name: str | None) -> Tensor:
            if not is_countable(tensor):
                return as_mixable(tensor, name)
            return tensor if tensor is x else mixed_mask(plan, tensor, self.mask_rule(name) or "keep")

        return map_named(masked, x)

    def unmixed(self, x: Any) -> Any:
        """Return the batch as it is; uint8 becomes float32."""
        if INPUT in self.layers:
            return super().unmixed(x)
        return map_named(lambda tensor, name: tensor if is_countable(tensor) else as_mixable(tensor, name), x)

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

        A layer inside of an activation checkpoint is mixed again, by this plan, where ``backward`` repeats the pass;
        its hook stays as long as the graph.

        Args:
            model: a module, or anything that finds its layers with ``get_submodule(name)``.
            plan: the plan to apply.

        Raises:
            ConfigError: if a layer does not exist, or is called never or more than once in the context: then the labels
                would say something else than the hidden states.
        """
        with ExitStack() as contexts:
            layers = [(name, find_layer(model, name)) for name in self._hidden]
            hooks = {name: contexts.enter_context(self._mixed_at(name, layer, plan)) for name, layer in layers}
            yield
        for name, hook in hooks.items():
            if hook.calls != 1:
                raise ConfigError(
                    "layers", name, f"choose another layer: this one was called {hook.calls} times in a forward pass"
                )

    def _mixed_at(self, name: str, layer: nn.Module, plan: MixPlan) -> AbstractContextManager[PassHook]:
        there = replace(plan, lam=self._lam_at(plan, name))
        return hooked(
            lambda hook: layer.register_forward_hook(lambda module, args, output: hook(output)),
            lambda output: self._mix_hidden(there, output),
        )

    def _mix_hidden(self, plan: MixPlan, output: Any) -> Any:
        def mixed(state: Tensor) -> Tensor:
            if is_countable(state):  # such as the places that a pooling layer chose
                return state
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
