"""A space made of several, one of which is used for each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from overmix.errors import DataError
from overmix.mix.masks import is_countable
from overmix.mix.plan import MixPlan
from overmix.mix.records import of_records
from overmix.mix.seen import seen
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
                space.apply(*_of_few_samples(part, x))
        return mixed

    def unmixed(self, x: Any) -> Any:
        """Return the batch as all of the spaces leave what they do not mix, one after the other.

        Raises:
            DataError: if any of them cannot mix such a batch.
        """
        for space in self.spaces:
            x = space.unmixed(x)
        return x

    def check_model(self, model: Callable[..., Any]) -> None:
        """Refuse a model that any of the spaces cannot mix in."""
        for space in self.spaces:
            space.check_model(model)

    def check_samples(self, sample_shape: tuple[int, ...]) -> None:
        """Refuse samples that any of the spaces is not made for."""
        for space in self.spaces:
            space.check_samples(sample_shape)

    def inside(self, model: Callable[..., Any], plan: MixPlan) -> AbstractContextManager[None]:
        """Return the contexts of all spaces that have one, as one."""
        hidden = [pair for pair in self._pairs(plan) if type(pair[0]).inside is not Space.inside]
        # A stack of contexts cannot be compiled.
        return _inside_all(model, hidden) if hidden else nullcontext()

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
        pairs = list(self._pairs(plan))
        choice = None if plan.choice is None else seen(plan.choice)
        if choice is None:
            return pairs
        chosen = set(choice.ravel().tolist())
        # lam = 1 leaves a sample what it is in a linear space only.
        return [pair for k, pair in enumerate(pairs) if k in chosen or not pair[0].is_linear]

    def _pairs(self, plan: MixPlan) -> Iterator[tuple[Space, MixPlan]]:
        if plan.choice is None or len(plan.parts) != len(self.spaces):
            raise DataError(
                f"plan: it has {len(plan.parts)} parts for {len(self.spaces)} methods: it is another recipe's"
            )
        return zip(self.spaces, plan.parts, strict=True)


@contextmanager
def _inside_all(model: Callable[..., Any], pairs: list[tuple[Space, MixPlan]]) -> Iterator[None]:
    with ExitStack() as contexts:
        for space, part in pairs:
            contexts.enter_context(space.inside(model, part))
        yield


def _of_few_samples(plan: MixPlan, x: Any) -> tuple[MixPlan, Any]:
    """Return a plan and a batch with two of their samples: whether these can be mixed shows whether all can.

    Not none of them, since a space may take a maximum over the batch. No sample has a partner, for the plan is of a
    space that was not chosen.
    """

    def few(tensor: Tensor) -> Tensor:
        axis = plan.partner.dim() - 1
        return tensor.narrow(axis, 0, min(2, tensor.shape[axis]))

    return of_records(few, plan), map_tensors(few, x)
