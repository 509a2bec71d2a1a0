"""Patch space: a part of the sample is cut out and filled with the same part of its partner."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import EllipsisType
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Bool, Int
from overmix.errors import ConfigError, DataError
from overmix.mix.coefficient import Per
from overmix.mix.masks import is_countable
from overmix.mix.plan import MixPlan
from overmix.mix.seen import seen
from overmix.mix.space import Space

Axes = Literal[1, 2]
"""How many trailing axes are cut: one for signals, two for images."""


@dataclass(frozen=True)
class PatchSpace(Space):
    """``x' = M * x_i + (1 - M) * x_j`` where the mask M is 0 in one box and 1 outside of it.

    The box has a uniform centre and the side ratio ``(1 - lam)**(1 / axes)``, and is clipped at the border; lam then
    becomes exactly the share of the sample that is its own. Labels that have positions, such as classes of shape
    (B, H, W), are cut as their image is.

    Args:
        per: ``"batch"`` draws one place for the whole batch, ``"sample"`` one for each sample.
        axes: 2 cuts a box from the last two axes, 1 an interval from the last; ``None`` cuts two if the sample has two
            that are longer than 1, otherwise one.

    Raises:
        ConfigError: if ``per`` or ``axes`` is none of these.

    Example:
        >>> x = torch.tensor([[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
        >>> box = torch.tensor([[0, 1, 1, 3], [0, 2, 1, 4]])
        >>> PatchSpace().apply(MixPlan(torch.tensor([1, 0]), torch.full((2,), 0.5), box, grid=(4,)), x)
        tensor([[0., 1., 1., 0.],
                [1., 1., 0., 0.]])
    """

    per: Per = "batch"
    axes: Axes | None = None

    def __post_init__(self) -> None:
        if self.per not in ("batch", "sample"):
            raise ConfigError("per", self.per, "use 'batch' (one box for all) or 'sample' (one box each)")
        if self.axes not in (None, 1, 2):
            remedy = "use 1 for signals, 2 for images and, through their whole depth, volumes, or None for the shape's"
            raise ConfigError("axes", self.axes, remedy)

    @property
    def is_linear(self) -> bool:
        """Yes."""
        return True

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return the centre of each box as shares of the two axes, shape (B, 2), float32 in [0, 1)."""
        centre = rng.random((1 if self.per == "batch" else batch_size, 2), dtype=np.float32)
        return torch.from_numpy(np.broadcast_to(centre, (batch_size, 2)).copy())

    def plan(self, drawn: Tensor | None, partner: Tensor, lam: Tensor, sample_shape: tuple[int, ...] | None) -> MixPlan:
        """Return the plan with its box, and with lam as the share that lies outside of it.

        Raises:
            DataError: if the sample has no axis to cut.
        """
        if drawn is None or not sample_shape:
            raise DataError(f"CutMix cuts the axes of a sample, but its shape is {sample_shape}: give sample_shape=")
        axes = self.axes or _axes_of(sample_shape)
        if len(sample_shape) < axes:
            raise DataError(f"CutMix cuts {axes} axes, but a sample has shape {sample_shape}: use axes=1")
        grid = tuple(sample_shape[-axes:])
        ratio = (1 - lam) if axes == 1 else (1 - lam).sqrt()
        left, right = _interval(drawn[..., 1], ratio, grid[-1])
        top, bottom = torch.zeros_like(left), torch.ones_like(left)
        if axes == 2:
            top, bottom = _interval(drawn[..., 0], ratio, grid[0])
        area = (bottom - top) * (right - left)
        # An empty box has many places; it is put into the corner, so that equal plans look equal.
        box = torch.stack([top, left, bottom, right], dim=-1) * (area > 0).unsqueeze(-1)
        # The number of own pixels is an integer, so that the share is rounded only once.
        size = math.prod(grid)
        return MixPlan(partner, (size - area).to(lam.dtype) / size, box, grid)

    def check_samples(self, sample_shape: tuple[int, ...]) -> None:
        """Refuse rows of numbers, such as those of a table, unless ``axes=1`` says that they are signals.

        Neighbours in a table have nothing in common, and a box of them is no part of anything.

        Raises:
            ConfigError: if the samples have fewer axes than are cut, or a single one that nobody has asked to be cut.
        """
        if len(sample_shape) < (self.axes or 2):
            raise ConfigError(
                "recipe.axes",
                self.axes,
                f"CutMix cuts boxes out of images, these samples have shape {sample_shape}: use Mixup, or, if they are "
                "signals, axes=1",
            )

    def mixable(self, tensor: Tensor, name: str | None) -> Tensor:
        """Return samples as they are, but uint8 as float32: integers, such as masks and tokens, are cut like images."""
        return tensor if is_countable(tensor) else super().mixable(tensor, name)

    def combine(self, plan: MixPlan, x: Tensor, partners: Tensor) -> Tensor:
        """Return the samples with their partners' values inside of the box: each value is exactly one of the two.

        Raises:
            DataError: if the axes that the box lies in have other sizes than the plan's.
        """
        box = None if x.requires_grad else _common_box(plan)
        if box is None or x.shape[1:][-len(box) :] != plan.grid:
            return _filled(_inside_each_axis(plan, x, "x"), partners, x)
        # What lies outside of the one box is copied, block by block: no mask of the batch's size is made.
        for block in _around(box):
            partners[block] = x[block]
        return partners

    def mixture(self, plan: MixPlan, x: Tensor) -> Tensor:
        """Return the mixture; where one small box serves the whole batch, only what lies in it is gathered."""
        box = None if x.requires_grad or not x.is_contiguous() else _common_box(plan)
        if box is None or x.shape[1:][-len(box) :] != plan.grid or not _is_small(box, plan.grid):
            return super().mixture(plan, x)
        inside: tuple[EllipsisType | slice, ...] = (..., *(slice(low, high) for low, high in box))
        mixed = x.clone()
        if all(high > low for low, high in box):
            mixed[inside] = x[inside].index_select(0, plan.partner)
        return mixed

    def labels(self, plan: MixPlan, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return both sides' labels and the own share; labels with positions are cut, so that one side says it all.

        Integers and booleans of shape (B, C) are rows, such as one-hot ones. Labels of more dimensions are maps.

        Raises:
            DataError: if maps have other positions than the samples, or integers of shape (B, C) for signals may be
                either: as many classes as there are positions, or numbers that are neither 0 nor 1.
        """
        if not _is_map(plan, y):
            return Space.labels(self, plan, y)
        cut = torch.where(_inside_box(plan, y, "y"), y[plan.partner], y)
        return cut, cut, torch.ones_like(plan.lam)


def _is_map(plan: MixPlan, y: Tensor) -> bool:
    """Return whether labels have positions that are cut: floats have a row of classes before them."""
    label = y.shape[plan.partner.dim() :]
    if len(label) != 1 or y.is_floating_point():
        return len(label) > 1
    if label == plan.grid:
        raise DataError(
            f"y has shape {tuple(y.shape)} and dtype {y.dtype}: these may be rows of {label[0]} classes, or classes of "
            f"the {label[0]} positions that are cut: give rows as y.float(), classes of positions as y.unsqueeze(1), "
            "and their logits as logits.unsqueeze(2)"
        )
    if plan.grid is None or len(plan.grid) != 1:
        return False
    is_row = seen((y == 0) | (y == 1))
    if is_row is not None and not is_row.all():
        raise DataError(
            f"y has shape {tuple(y.shape)} and holds classes, but the box lies in {plan.grid[0]} positions: give "
            "one class for each position, as y.unsqueeze(1), or rows as y.float()"
        )
    return False


Intervals = tuple[tuple[int, int], ...]
"""Of each axis that is cut: where the box begins and ends."""


def _common_box(plan: MixPlan) -> Intervals | None:
    """Return the box if the whole batch has one and it is known without waiting for a device."""
    if plan.box is None or plan.grid is None or plan.partner.dim() != 1:
        return None
    boxes = seen(plan.box)
    if boxes is None or not len(boxes) or (boxes != boxes[0]).any():
        return None
    top, left, bottom, right = boxes[0].tolist()
    return ((top, bottom), (left, right))[-len(plan.grid) :]


def _is_small(box: Intervals, grid: tuple[int, ...]) -> bool:
    """Return whether copying all and then the box is less than gathering all and copying what lies around."""
    return 2 * math.prod(high - low for low, high in box) <= math.prod(grid)


def _around(box: Intervals) -> Iterator[tuple[EllipsisType | slice, ...]]:
    """Yield indices of disjoint blocks that together are all that lies outside of a box in the last axes."""
    before: tuple[slice, ...] = ()
    for low, high in box:
        rest = (slice(None),) * (len(box) - len(before) - 1)
        yield (..., *before, slice(0, low), *rest)
        yield (..., *before, slice(high, None), *rest)
        before = (*before, slice(low, high))


_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _filled(inside: list[Tensor], partners: Tensor, x: Tensor) -> Tensor:
    """Return the partners inside of each axis' interval and ``x`` elsewhere, in their memory unless gradients flow."""
    if x.requires_grad:
        return torch.where(_all(inside), partners, x)
    # x ^ ((partner ^ x) & mask), on the bits of the numbers: exact for values that are not finite, and half of
    # torch.where's time on the CPU. The masks of two axes, one after the other, are far smaller than that of the box.
    bits = _BITS[x.dtype.itemsize]
    x_bits = x.view(bits)
    mixed = partners.view(bits).bitwise_xor_(x_bits)
    for mask in inside:
        mixed.bitwise_and_(mask.to(bits).neg_())
    mixed.bitwise_xor_(x_bits)
    return partners


def _inside_box(plan: MixPlan, x: Tensor, name: str) -> Bool[Tensor, "..."]:
    """Return which values come from the partner, in a shape that broadcasts over ``x``."""
    return _all(_inside_each_axis(plan, x, name))


def _all(masks: list[Tensor]) -> Bool[Tensor, "..."]:
    first, *rest = masks
    for mask in rest:
        first = first & mask
    return first


def _inside_each_axis(plan: MixPlan, x: Tensor, name: str) -> list[Tensor]:
    """Return for each axis that is cut which of its places lie in the box, in shapes that broadcast over ``x``."""
    if plan.box is None or plan.grid is None:
        raise DataError("plan: it has no box: it is the plan of another recipe")
    axes = len(plan.grid)
    lead = plan.partner.dim()
    if x.shape[lead:][-axes:] != plan.grid:
        raise DataError(
            f"{name} has shape {tuple(x.shape)}, but the plan's box lies in axes of sizes {plan.grid}: give all of a "
            "batch one size, or mix it by Mixup"
        )
    top, left, bottom, right = plan.box.unbind(-1)
    masks = []
    for axis, (low, high) in enumerate(((top, bottom), (left, right))[-axes:], start=-axes):
        inside = _between(low, high, plan.grid[axis])
        shape = [1] * (x.dim() - lead)
        shape[axis] = plan.grid[axis]
        masks.append(inside.view(*inside.shape[:-1], *shape))
    return masks


def _axes_of(sample_shape: tuple[int, ...]) -> Axes:
    return 2 if len(sample_shape) >= 2 and min(sample_shape[-2:]) > 1 else 1


def _interval(centre: Tensor, ratio: Tensor, size: int) -> tuple[Int[Tensor, "..."], Int[Tensor, "..."]]:
    """Return the bounds of an interval of about ``ratio * size``, clipped to [0, size].

    Half of it, rounded down, lies on each side of a uniform whole number, as in the authors' code.
    """
    middle = (centre * size).long()
    half = (0.5 * ratio * size).long()
    return (middle - half).clamp(0, size), (middle + half).clamp(0, size)


def _between(low: Tensor, high: Tensor, size: int) -> Bool[Tensor, "*batch size"]:
    at = torch.arange(size, device=low.device)
    return (at >= low.unsqueeze(-1)) & (at < high.unsqueeze(-1))
