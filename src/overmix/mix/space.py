"""Space: where samples are mixed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float, Int, Shaped
from overmix.errors import DataError
from overmix.mix.masks import MaskRule, Masks, check_masks, is_countable, mixed_mask, rule_for
from overmix.mix.plan import MixPlan
from overmix.mix.precision import over_samples
from overmix.mix.side import Need


@runtime_checkable
class Space(Protocol):
    """Where samples are mixed. Every method is a pure function; the batch is never modified.

    A space of one's own says at least how a sample and its partner :meth:`combine`.
    """

    @property
    def needs(self) -> frozenset[Need]:
        """What it asks of the training loop; nothing by default."""
        return frozenset()

    @property
    def is_linear(self) -> bool:
        """Whether inputs may as well be scaled after mixing as before, and lam = 1 leaves a sample what it is."""
        return False

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor | None:
        """Return the raw numbers of one batch on the CPU (a box's place, a layer), or ``None`` if there are none."""
        return None

    def plan(self, drawn: Tensor | None, partner: Tensor, lam: Tensor, sample_shape: tuple[int, ...] | None) -> MixPlan:
        """Return the plan that will be applied, with lam corrected to what is really mixed (a clipped box's area)."""
        return MixPlan(partner, lam)

    def combine(
        self,
        plan: MixPlan,
        x: Float[Tensor, "*stack batch *sample"],
        partners: Float[Tensor, "*stack batch *sample"],
    ) -> Float[Tensor, "*stack batch *sample"]:
        """Return the mixture of samples and their partners, shape (..., B, ...), out of place for ``x``.

        Args:
            plan: its ``partner`` is not looked at.
            x: the samples; the leading dimensions are the plan's.
            partners: their partners, as :func:`gather_partners` returns them. May be overwritten, to save memory.
        """
        ...

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the mixed batch: a tensor, or a tuple, list or mapping of tensors that are mixed by the same plan.

        Raises:
            DataError: for numbers that have no average, and for a batch whose size is not the plan's.
        """
        mixes_something = isinstance(x, Tensor)

        def mixed(tensor: Tensor, name: str | None) -> Tensor:
            nonlocal mixes_something
            rule = self.mask_rule(name) if is_countable(tensor) and tensor is not x else None
            if rule is not None:
                return mixed_mask(plan, tensor, rule)
            samples, mixes_something = self.mixable(tensor, name), True
            return self.mixture(plan, samples)

        result = map_named(mixed, x)
        if not mixes_something:
            raise DataError("x holds masks only: give something that can be mixed beside them")
        return result

    def mixture(self, plan: MixPlan, x: Float[Tensor, "*stack batch *sample"]) -> Float[Tensor, "*stack batch *sample"]:
        """Return the mixture of one tensor's samples and their partners, out of place; see :meth:`combine`.

        A space for which most of the partners' values are never looked at may gather fewer.
        """
        return self.combine(plan, x, gather_partners(x, plan.partner))

    def mask_rule(self, name: str | None) -> MaskRule | None:
        """Return what becomes of integers and booleans in a nest of tensors, by their name; None refuses them."""
        return None

    def mixable(self, tensor: Tensor, name: str | None) -> Tensor:
        """Return samples in a dtype that :meth:`combine` can mix; see :func:`as_mixable`."""
        return as_mixable(tensor, name)

    def inside(self, model: Callable[..., Any], plan: MixPlan) -> AbstractContextManager[None]:
        """Return a context in which the model mixes its hidden states, for spaces that lie inside of it."""
        return nullcontext()

    def check_model(self, model: Callable[..., Any]) -> None:
        """Refuse a model that the space cannot mix in, before any training; any model will do by default.

        Raises:
            ConfigError: if a layer does not exist.
        """
        return

    def check_samples(self, sample_shape: tuple[int, ...]) -> None:
        """Refuse samples that the space is not made for, before any training; any shape will do by default.

        Raises:
            ConfigError: saying what fits.
        """
        return

    def labels(self, plan: MixPlan, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the labels of both sides, shape (B, ...) each, and the weight of the first, shape (B,)."""
        return y, y[plan.partner], plan.lam

    def unmixed(self, x: Any) -> Any:
        """Return the batch as it is; uint8 becomes float32, so that a model sees one dtype all along."""

        def unmixed(tensor: Tensor, name: str | None) -> Tensor:
            is_mask = is_countable(tensor) and tensor is not x and self.mask_rule(name) is not None
            return tensor if is_mask else self.mixable(tensor, name)

        return map_named(unmixed, x)


@dataclass(frozen=True)
class InputSpace(Space):
    """Mixes inputs of any layout linearly: ``lam * x + (1 - lam) * x[partner]``.

    In a dictionary or tuple there may be masks, integers or booleans, beside what is mixed.

    Args:
        masks: ``"union"``: a mask is set where either sample's is, elementwise or (for integers the maximum), as is
            right for masks of what is there; ``"intersection"``: where both are, for masks of what is to be ignored;
            ``"keep"``: left alone. Or a dictionary of these by the masks' names. None, the default, refuses integers
            and booleans, since nobody can see what they mean.

    Raises:
        ConfigError: if ``masks`` is none of these.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> plan = MixPlan(torch.tensor([1, 0]), torch.tensor([0.75, 0.75]))
        >>> InputSpace().apply(plan, x).flatten()
        tensor([0.2500, 0.7500])
    """

    masks: Masks = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_masks(self.masks)

    @property
    def is_linear(self) -> bool:
        """Yes."""
        return True

    def mask_rule(self, name: str | None) -> MaskRule | None:
        """Return the rule that was given, for all or for this name."""
        return rule_for(self.masks, name)

    def combine(self, plan: MixPlan, x: Tensor, partners: Tensor) -> Tensor:
        """Return ``lam * x + (1 - lam) * partners``; where lam is 1 it equals ``x`` exactly, if all is finite."""
        # The partners are moved towards x in place: torch's lerp(a, b, w) puts the weight w on b.
        return partners.lerp_(x, weight_like(plan.lam, x))


def weight_like(lam: Float[Tensor, "*stack batch"], x: Float[Tensor, "*stack batch *sample"]) -> Float[Tensor, "..."]:
    """Return lam in the dtype of ``x`` and with trailing ones, so that it broadcasts over each sample."""
    return over_samples(lam.to(x.dtype), x)


def gather_partners(
    x: Shaped[Tensor, "*stack batch *sample"], partner: Int[Tensor, "*stack batch"]
) -> Shaped[Tensor, "*stack batch *sample"]:
    """Return ``x[partner]`` as a new tensor of the same memory format.

    Args:
        x: shape (B, ...), or (R, B, ...) for a stack of batches.
        partner: shape (B,) or (R, B), int64, indices into the own batch.

    Raises:
        DataError: if the leading dimensions of ``x`` are not the plan's.
    """
    if x.shape[: partner.dim()] != partner.shape:
        sizes = " x ".join(str(size) for size in partner.shape)
        raise DataError(f"x has shape {tuple(x.shape)}, but the plan is for a batch of {sizes} samples")
    if partner.dim() > 1:
        batch_size = partner.shape[-1]
        offset = batch_size * torch.arange(math.prod(partner.shape[:-1]), device=partner.device)
        flat_partner = (partner.flatten(0, -2) + offset.unsqueeze(-1)).flatten()
        return gather_partners(x.flatten(0, partner.dim() - 1), flat_partner).reshape(x.shape)
    # index_select is the faster gather, but would lose another memory format, such as channels last.
    return x.index_select(0, partner) if x.is_contiguous() else x[partner]


def as_mixable(x: Tensor, name: str | None = None) -> Tensor:
    """Return ``x`` in a dtype that can be averaged: floats as they are, uint8 images as float32 in [0, 255].

    Args:
        x: the samples.
        name: their name, where they are one of several.

    Raises:
        DataError: for other numbers; integers stand for something (tokens, counts, masks) that has no average.
    """
    if x.is_floating_point():
        return x
    if x.dtype == torch.uint8:
        return x.to(torch.float32)
    remedy = "for tokens mix a layer after their embedding (ManifoldMixup), for masks say masks='union' or 'keep'"
    if x.is_complex():
        remedy = "for complex numbers give torch.view_as_real(x)"
    where = "" if name is None else f"[{name!r}]"
    raise DataError(f"x{where} has dtype {x.dtype}, which is not mixed: give floats or uint8 images; {remedy}")


def map_named(function: Callable[[Tensor, str | None], Any], x: Any, name: str | None = None) -> Any:
    """Return ``function`` of every tensor in a nest and its name: the nearest key of a mapping, field of a named tuple.

    Args:
        function: takes a tensor and its name, or None if it has none.
        x: a tensor, or a tuple, named tuple, list or mapping of these; what is None stays None.
        name: that of ``x`` itself.

    Raises:
        DataError: if something else is found.
    """
    if x is None or isinstance(x, Tensor):
        return None if x is None else function(x, name)
    if isinstance(x, Mapping):
        return _like(x, {key: map_named(function, value, str(key)) for key, value in x.items()})
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(map_named(function, value, field) for field, value in zip(x._fields, x, strict=True)))
    if isinstance(x, list | tuple):
        return type(x)(map_named(function, value, name) for value in x)
    raise DataError(f"x holds a {type(x).__name__}: give a tensor, or a tuple, list or dictionary of tensors")


def _like(mapping: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    """Return the values in a mapping of the same kind, such as a model's own output class, if it can be changed."""
    if type(mapping) is dict or not isinstance(mapping, MutableMapping):
        return values
    same_kind = copy.copy(mapping)
    for key, value in values.items():
        same_kind[key] = value
    return same_kind


def map_tensors(function: Callable[[Tensor], Any], x: Any) -> Any:
    """Return ``function`` of every tensor in a nest; see :func:`map_named`."""
    return map_named(lambda tensor, name: function(tensor), x)


def join_batches(first: Any, second: Any, batch_axis: int = 0) -> Any:
    """Return one batch that holds the samples of two, tensor by tensor if they are nests.

    Args:
        first: the samples that come first.
        second: the samples that come after them, in a nest of the same form.
        batch_axis: the dimension of the samples: the number of leading dimensions of a stack.
    """
    rest = iter(tensors_in(second))
    return map_tensors(lambda tensor: torch.cat([tensor, next(rest)], dim=batch_axis), first)


def tensors_in(x: Any) -> Iterator[Tensor]:
    """Yield the tensors in a nest, in its order."""
    if isinstance(x, Tensor):
        yield x
    values = x.values() if isinstance(x, Mapping) else x if isinstance(x, list | tuple) else ()
    for value in values:
        yield from tensors_in(value)


def first_tensor(x: Any) -> Tensor | None:
    """Return the first tensor in ``x``, or ``None`` if there is none."""
    return next(tensors_in(x), None)
