"""Label-anchored Mixup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Bool, Float, Int
from overmix.errors import ConfigError, DataError
from overmix.mix import (
    AbsoluteError,
    Coefficient,
    Draws,
    MixedTarget,
    MixPlan,
    Need,
    Objective,
    Pairing,
    Recipe,
    SideInfo,
)
from overmix.mix.capture import replaced
from overmix.mix.precision import in_loss_precision
from overmix.mix.weighted import sample_rows
from overmix.real_numbers import is_real
from overmix.recipes.registry import register


@dataclass(frozen=True)
class AnchorPairing(Pairing):
    """Pairs anchors of label intervals with the samples whose labels are nearest to them.

    The range of the batch's labels is cut into intervals of one width. Anchors of rare intervals are drawn most often:
    the counts of samples, given to the intervals in the opposite order of rank, are both the anchors' weights and the
    number of nearest samples that each one draws its partners from.

    Args:
        intervals: how many, >= 1; those without a sample are left out.

    Raises:
        ConfigError: if there is none.
    """

    intervals: int = 10

    def __post_init__(self) -> None:
        if isinstance(self.intervals, bool) or not isinstance(self.intervals, int) or self.intervals < 1:
            raise ConfigError("intervals", self.intervals, "use an integer >= 1")

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return two uniform numbers for each latent, one for its anchor and one for its partner, shape (B, 2)."""
        return torch.from_numpy(rng.random((batch_size, 2), dtype=np.float32))

    def partner(self, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return the sample that each latent's anchor is mixed with, shape (B,)."""
        return self.partner_of(self.anchor(drawn, side), drawn, side)

    def anchor(self, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return the number of the interval that each latent's anchor belongs to, shape (B,)."""
        amounts = reverse_rank_counts(self._counts(labels_of(side)))
        return sample_rows(amounts.to(torch.float32).expand(drawn.shape[0], -1), drawn[:, 0])

    def partner_of(self, anchor: Tensor, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return a sample among those nearest in label to each given anchor, shape (B,)."""
        y = labels_of(side)
        amounts = reverse_rank_counts(self._counts(y))[anchor]
        distance = (y.unsqueeze(0) - self.centres(y)[anchor].unsqueeze(1)).abs()
        rank = (drawn[:, 1] * amounts).long()
        return torch.sort(distance, dim=1, stable=True).indices.gather(1, rank.unsqueeze(1)).squeeze(1)

    def interval_of(self, y: Float[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """Return the number of the interval that each label lies in, shape (B,)."""
        low, width = self._grid(y)
        return ((y - low) / width).long().clamp(0, self.intervals - 1)

    def centres(self, y: Float[Tensor, " batch"]) -> Float[Tensor, " intervals"]:
        """Return the centre of each interval, shape (C,)."""
        low, width = self._grid(y)
        return low + width * (torch.arange(self.intervals, device=y.device) + 0.5)

    def means(
        self, h: Float[Tensor, "batch *features"], y: Float[Tensor, " batch"]
    ) -> Float[Tensor, "intervals *features"]:
        """Return the mean representation of each interval's samples, the anchors; 0 where there is none."""
        member = self._members(y).to(h.dtype)
        total = member.T @ h.flatten(1)
        return (total / member.sum(0).clamp_min(1).unsqueeze(1)).view(-1, *h.shape[1:])

    def _counts(self, y: Tensor) -> Int[Tensor, " intervals"]:
        return self._members(y).sum(0)

    def _members(self, y: Tensor) -> Bool[Tensor, "batch intervals"]:
        return self.interval_of(y).unsqueeze(1) == torch.arange(self.intervals, device=y.device)

    def _grid(self, y: Tensor) -> tuple[Tensor, Tensor]:
        low, high = y.amin(), y.amax()
        # Equal labels have no range: they share the first interval of any width.
        return low, torch.where(high > low, (high - low) / self.intervals, 1.0)


@dataclass(frozen=True)
class AnchorCoefficient(Coefficient):
    """``lam = max(l, 1 - l)``, ``l ~ Beta(alpha, 1)``, one for each interval: the anchor is the larger part.

    Args:
        alpha: > 0; the larger, the nearer to the anchor.
        intervals: how many.

    Raises:
        ConfigError: if alpha is not positive.
    """

    alpha: float = 5.0
    intervals: int = 10

    def __post_init__(self) -> None:
        if not is_real(self.alpha) or not 0 < self.alpha < float("inf"):
            raise ConfigError("alpha", self.alpha, "use a number > 0")

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return lam of each interval, shape (C,), float32."""
        lam = rng.beta(self.alpha, 1, size=self.intervals).astype(np.float32)
        return torch.from_numpy(np.maximum(lam, 1 - lam))

    def lam(self, drawn: Tensor, partner: Tensor, side: SideInfo) -> Float[Tensor, " batch"]:
        """Return the lam of each latent's anchor: here ``partner`` holds the numbers of the anchors, shape (B,)."""
        return drawn[partner]


@register(
    source="Liu et al.: Semi-Supervised Graph Imbalanced Regression (SGIR, KDD 2023)",
    target="the mixed value, mean absolute error, beside that of the clean samples",
    place="representations, with the means of label intervals",
    schedule="from the 50th epoch on",
)
class AnchorMixup(Recipe):
    """``h' = lam z_a + (1 - lam) h_j``, ``y' = lam c_a + (1 - lam) y_j``, loss = MAE(f(x), y) + weight MAE(d(h'), y').

    For imbalanced regression: z_a is the mean representation of the samples in one interval of labels, c_a the centre
    of the interval, j a sample whose label is near to it, and d what the model makes of a representation. Rare
    intervals get the most mixtures, as many in all as there are samples. These pass through the rest of the model only
    and send no gradient to the representations. Because it mixes inside of the model, the loss comes from
    ``recipe.objective(model, x, y, plan)``.

    Args:
        alpha: ``lam = max(l, 1 - l)`` with ``l ~ Beta(alpha, 1)``, > 0, one lam for each interval.
        intervals: number of intervals that the batch's labels are cut into, >= 1.
        weight: of the mixtures' loss, >= 0.
        layer: name of the layer whose output is the representation; ``None`` means what enters the last linear layer.

    Raises:
        ConfigError: if a parameter is out of range.

    Example:
        >>> from overmix.mix import Streams
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        >>> x, y, recipe = torch.rand(16, 3), torch.rand(16), AnchorMixup(intervals=4)
        >>> plan = recipe.plan(recipe.draw(Streams(), batch_size=16), y)
        >>> recipe.objective(model, x, y, plan).shape
        torch.Size([])
    """

    asks: ClassVar[frozenset[Need]] = frozenset({"hidden"})
    for_labels = ("values",)
    usual_loss = AbsoluteError()

    def __init__(self, alpha: float = 5.0, intervals: int = 10, weight: float = 1.0, layer: str | None = None) -> None:
        self._anchors = AnchorPairing(intervals)
        super().__init__(self._anchors, AnchorCoefficient(alpha, intervals))
        if not is_real(weight) or not 0 <= weight < float("inf"):
            raise ConfigError("weight", weight, "use a number >= 0")
        self.weight, self.layer = float(weight), layer

    def _plan(self, draws: Draws, side: SideInfo, sample_shape: tuple[int, ...] | None) -> MixPlan:
        if draws.pairing is None or draws.coefficient is None or draws.coefficient.shape[0] != self._anchors.intervals:
            raise DataError("AnchorMixup: these draws are of another recipe")
        anchor = self._anchors.anchor(draws.pairing, side)
        partner = self._anchors.partner_of(anchor, draws.pairing, side)
        return MixPlan(partner, self.coefficient.lam(draws.coefficient, anchor, side), choice=anchor)

    def apply(self, plan: MixPlan, x: Any) -> Any:
        """Return the batch as it is: representations are mixed, not inputs."""
        return self.space.unmixed(x)

    def target(self, plan: MixPlan, y: Tensor) -> MixedTarget:
        """Return the labels of the batch, which is not mixed itself."""
        return super().target(MixPlan.identity(plan.batch_size, device=y.device), y)

    def latents(
        self, h: Float[Tensor, "batch *features"], y: Tensor, plan: MixPlan
    ) -> tuple[Float[Tensor, "batch *features"], Float[Tensor, " batch"]]:
        """Return the mixed representations, shape (B, ...), and their values, shape (B,).

        Args:
            h: representations of the clean batch; no gradient flows to them.
            y: its labels, shape (B,) or (B, 1).
            plan: its ``choice`` is each latent's anchor, its ``partner`` the sample that is mixed in.
        """
        if plan.choice is None:
            raise DataError("plan: it has no anchors: it is the plan of another recipe")
        h, values = h.detach(), y.reshape(-1)
        anchors = self._anchors.means(h, values)[plan.choice]
        lam = plan.lam.to(h.dtype).view(-1, *[1] * (h.dim() - 1))
        mixed = torch.lerp(h[plan.partner], anchors, lam)
        centres = self._anchors.centres(values)[plan.choice]
        return mixed, torch.lerp(values[plan.partner], centres, plan.lam.to(values.dtype))

    def mixed_loss(
        self, model: Callable[[Any], Tensor], x_mixed: Any, y: Tensor, plan: MixPlan, loss: Objective | None = None
    ) -> Tensor:
        """Return the loss of the clean samples plus the weighted one of the mixtures, absolute errors by default."""
        mixed_values: list[Tensor] = []

        def with_latents(h: Tensor) -> Tensor:
            latents, values = self.latents(h, y, plan)
            mixed_values.append(values)
            return torch.cat([h, latents])

        with replaced(model, self.layer, with_latents):
            output = model(x_mixed)
        clean, mixed = in_loss_precision(output).reshape(2, -1)
        loss = loss or self.usual_loss
        certain = torch.ones_like(plan.lam)

        def mean(prediction: Tensor, value: Tensor) -> Tensor:
            return loss.losses(prediction, value, value, certain).mean(-1)

        return mean(clean, y.reshape(-1)) + self.weight * mean(mixed, mixed_values[0])


def reverse_rank_counts(counts: Int[Tensor, " intervals"]) -> Int[Tensor, " intervals"]:
    """Return the counts given to the intervals in the opposite order of rank: the rarest gets the largest.

    Args:
        counts: number of samples in each interval, shape (C,). Empty intervals are left out and stay 0.

    Example:
        >>> reverse_rank_counts(torch.tensor([50, 3, 20, 1, 10]))
        tensor([ 1, 20,  3, 50, 10])
    """
    rising = torch.sort(counts, stable=True).indices
    size = counts.shape[0]
    occupied = (counts > 0).sum()
    # The k-th rarest of the occupied intervals gets the k-th largest count.
    place = torch.arange(size, device=counts.device)
    opposite = (2 * size - 1 - occupied - place).clamp(0, size - 1)
    given = torch.where(place >= size - occupied, counts[rising][opposite], 0)
    return torch.zeros_like(counts).scatter(0, rising, given)


def labels_of(side: SideInfo) -> Float[Tensor, " batch"]:
    """Return the value of each sample, shape (B,).

    Raises:
        DataError: if the labels are no values, one for each sample.
    """
    y = side.y
    if y is None or not y.is_floating_point() or y.numel() != y.shape[0]:
        given = "missing" if y is None else f"of dtype {y.dtype} and shape {tuple(y.shape)}"
        raise DataError(f"anchors are made by label, but y is {given}: give one floating-point value per sample")
    return y.reshape(-1)
