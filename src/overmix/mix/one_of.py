"""A space made of several, one of which is used for each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from overmix.errors import DataError
from overmix.mix.plan import MixPlan
from overmix.mix.side import Need
from overmix.mix.space import Space


@dataclass(frozen=True)
class OneOfSpace(Space):
    """Uses the space that the plan chose; the plans of the others leave the batch as it is.

    All of them are applied, one after the other, so that replicas that chose differently run as one stack, and no
    choice is ever copied to the host.

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
        for space, part in self._pairs(plan):
            # Each space may overwrite the partners it is given.
            x = space.combine(part, x, partners.clone())
        return x

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the batch as the chosen space mixes it."""
        for space, part in self._pairs(plan):
            x = space.apply(part, x)
        return x

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

    def _pairs(self, plan: MixPlan) -> Iterator[tuple[Space, MixPlan]]:
        if plan.choice is None or len(plan.parts) != len(self.spaces):
            raise DataError(
                f"plan: it has {len(plan.parts)} parts for {len(self.spaces)} methods: it is another recipe's"
            )
        return zip(self.spaces, plan.parts, strict=True)
