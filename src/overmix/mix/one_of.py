"""A space made of several, one of which is used for each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from overmix.errors import DataError
from overmix.mix.masks import is_countable
from overmix.mix.plan import MixPlan
from overmix.mix.records import of_records
from overmix.mix.side import Need
from overmix.mix.space import Space, map_tensors


@dataclass(frozen=True)
class OneOfSpace(Space):
    """Uses the space that the plan chose; the plans of the others leave the batch as it is.

    Where the choice is on the CPU, only what was chosen is applied. On another device, where a look would wait, all of
    them are, one after the other, which gives the same: so no choice is ever copied to the host, and replicas that
    chose differently run as one stack.

    Args:
        spaces: the candidates.
    """

    spaces: tuple[Space, ...]

    @property
    def needs(self) -> frozenset[Need]:
        """What any of them needs."""
        return frozenset().union(*(space.needs for space in self.spaces))

    @property
    def is_linear(self) -> bool:
        """Whether all of them are."""
        return all(space.is_linear for space in self.spaces)

    def combine(self, plan: MixPlan, x: Tensor, partners: Tensor) -> Tensor:
        """Return the mixture that the chosen space makes."""
        pairs = self._in_use(plan)
        for space, part in pairs:
            # Each space may overwrite the partners it is given.
            x = space.combine(part, x, partners.clone() if len(pairs) > 1 else partners)
        return x

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the batch as the chosen space mixes it.

        Raises:
            DataError: if any of the spaces cannot mix such a batch, whether it was chosen or not.
        """
        pairs, mixed = self._in_use(plan), x
        for space, part in pairs:
            mixed = space.apply(part, mixed)
        if isinstance(x, Tensor) and not is_countable(x):
            return mixed  # numbers that every space mixes
        for space, part in self._pairs(plan):
            if not any(space is used for used, _ in pairs):
                space.apply(*_without_samples(part, x))
        return mixed

    def check_model(self, model: Callable[..., Any]) -> None:
        """Refuse a model that any of the spaces cannot mix in."""
        for space in self.spaces:
            space.check_model(model)

    def check_samples(self, sample_shape: tuple[int, ...]) -> None:
        """Refuse samples that any of the spaces is not made for."""
        for space in self.spaces:
            space.check_samples(sample_shape)

    @contextmanager
    def inside(self, model: Callable[..., Any], plan: MixPlan) -> Iterator[None]:
        """Open the contexts of all spaces."""
        with ExitStack() as contexts:
            for space, part in self._pairs(plan):
                contexts.enter_context(space.inside(model, part))
            yield

    def labels(self, plan: MixPlan, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the labels as the chosen space mixes them."""
        a, b, lam = y, y, torch.ones_like(plan.lam)
        for k, (space, part) in enumerate(self._pairs(plan)):
            chosen = torch.eq(plan.choice, k)  # type: ignore[arg-type]
            over_y = chosen.view(-1, *[1] * (y.dim() - 1))
            mixed_a, mixed_b, mixed_lam = space.labels(part, y)
            a, b = torch.where(over_y, mixed_a, a), torch.where(over_y, mixed_b, b)
            lam = torch.where(chosen, mixed_lam, lam)
        return a, b, lam

    def _in_use(self, plan: MixPlan) -> list[tuple[Space, MixPlan]]:
        """Return the spaces that change anything, with their plans: all of them where the choice cannot be seen."""
        pairs, chosen = list(self._pairs(plan)), _seen(plan.choice)
        if chosen is None:
            return pairs
        # lam = 1 leaves a sample what it is in a linear space only.
        return [pair for k, pair in enumerate(pairs) if k in chosen or not pair[0].is_linear]

    def _pairs(self, plan: MixPlan) -> Iterator[tuple[Space, MixPlan]]:
        if plan.choice is None or len(plan.parts) != len(self.spaces):
            raise DataError(
                f"plan: it has {len(plan.parts)} parts for {len(self.spaces)} methods: it is another recipe's"
            )
        return zip(self.spaces, plan.parts, strict=True)


def _seen(choice: Tensor | None) -> set[int] | None:
    """Return which methods any sample uses, or None where a look would wait for a device, or has nothing to see."""
    if choice is None or choice.device.type != "cpu":
        return None
    try:
        return set(choice.numpy().ravel().tolist())
    except RuntimeError:  # under torch.func.vmap there are no values
        return None


def _without_samples(plan: MixPlan, x: Any) -> tuple[MixPlan, Any]:
    """Return a plan and a batch with none of their samples: what is left shows whether they go together."""

    def none_of(tensor: Tensor) -> Tensor:
        return tensor.narrow(plan.partner.dim() - 1, 0, 0)

    return of_records(none_of, plan), map_tensors(none_of, x)
