"""Pairing by weights: a partner is drawn from the batch with a probability that depends on the pair."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from overmix._typing import Float, Int
from overmix.errors import ConfigError, DataError
from overmix.mix.pairing import Pairing
from overmix.mix.precision import at_least_float32
from overmix.mix.side import SideInfo
from overmix.real_numbers import is_real

_NUMBERS_AT_ONCE = 1 << 24
"""Of differences between labels: 64 MiB."""

LengthUnit: TypeAlias = Literal["std", "label"]
"""What a distance between labels is measured in: standard deviations of the batch's labels, or their own unit."""


class WeightedPairing(Pairing, Protocol):
    """Draws sample i's partner j with probability proportional to a weight ``w[i, j]``, with replacement.

    A sample whose weights are all 0 has no eligible partner: it stays itself, and the plan says so by
    ``partner[i] == i``.
    """

    def weights(self, side: SideInfo) -> Float[Tensor, "batch batch"]:
        """Return the weight of each partner for each sample, shape (B, B), >= 0, finite."""
        ...

    def draw(self, rng: np.random.Generator, batch_size: int) -> Tensor:
        """Return a uniform number for each sample, shape (B,), float32 in [0, 1)."""
        return torch.from_numpy(rng.random(batch_size, dtype=np.float32))

    def partner(self, drawn: Tensor, side: SideInfo) -> Int[Tensor, " batch"]:
        """Return the partner at which the cumulated weights of the sample's row pass the drawn share of their sum."""
        return sample_rows(self.weights(side), drawn)


def sample_rows(weights: Float[Tensor, "rows columns"], share: Float[Tensor, " rows"]) -> Int[Tensor, " rows"]:
    """Return for each row the first column at which the cumulated weights pass ``share`` of their sum.

    Args:
        weights: shape (B, B), >= 0.
        share: shape (B,), in [0, 1).

    Returns:
        Shape (B,), int64: a column of positive weight, or the row's own number if the row is 0.
    """
    passed = weights.cumsum(-1)
    total = passed[:, -1:].contiguous()
    column = torch.searchsorted(passed, share.to(total.dtype).unsqueeze(-1) * total, right=True)
    # Rounding can carry a share of nearly 1 past the last column that has a weight.
    last = torch.searchsorted(passed, total)
    itself = torch.arange(weights.shape[0], device=weights.device)
    return torch.where(total.squeeze(-1) > 0, torch.minimum(column, last).squeeze(-1), itself)


@dataclass(frozen=True)
class KernelPairing(WeightedPairing):
    """``P(j | i)`` proportional to ``exp(-||y_i - y_j||**2 / (2 s**2))``, s = sigma units: similar labels.

    A sample may be its own partner. ``sigma=inf`` draws partners uniformly, a small sigma among equal labels only.

    Args:
        sigma: width of the kernel, > 0.
        unit: ``"std"`` measures it in standard deviations of the batch's labels, so that the labels' own unit does not
            matter (for labels of several numbers: the root of the summed variances); ``"label"`` in that unit.

    Raises:
        ConfigError: if sigma is not a positive number, or the unit none of these.

    Example:
        >>> y = torch.tensor([0.0, 0.5, 1.0, 3.0])
        >>> w = KernelPairing(sigma=1.0, unit="label").weights(SideInfo(y=y))
        >>> (w / w.sum(1, keepdim=True))[0]
        tensor([0.4000, 0.3530, 0.2426, 0.0044])
        >>> thousands = KernelPairing().weights(SideInfo(y=1000 * y))
        >>> bool((thousands - KernelPairing().weights(SideInfo(y=y))).abs().max() < 1e-6)
        True
    """

    sigma: float = 1.0
    unit: LengthUnit = "std"

    def __post_init__(self) -> None:
        if not is_real(self.sigma) or math.isnan(self.sigma) or self.sigma <= 0:
            raise ConfigError("sigma", self.sigma, "use a number > 0")
        if self.unit not in ("std", "label"):
            raise ConfigError("unit", self.unit, "use 'std' (standard deviations of the batch's labels) or 'label'")

    def weights(self, side: SideInfo) -> Float[Tensor, "batch batch"]:
        """Return the kernel of every pair of labels, shape (B, B).

        Raises:
            DataError: if the labels are no numbers that could be near to each other.
        """
        y = side.y
        if y is None or not y.is_floating_point():
            given = "missing" if y is None else f"of dtype {y.dtype}"
            raise DataError(f"pairs are made by distance between labels, but y is {given}: give floating-point values")
        rows = at_least_float32(y.reshape(y.shape[0], -1))
        rows = rows / (self.sigma * (_spread(rows) if self.unit == "std" else 1.0))
        # Labels of many numbers a few samples at a time: of all pairs at once they would fill the memory.
        some = max(1, _NUMBERS_AT_ONCE // max(1, rows.numel()))
        distance = [(rows.unsqueeze(0) - part.unsqueeze(1)).square().sum(-1) for part in torch.split(rows, some)]
        return torch.exp(-0.5 * torch.cat(distance)).to(torch.float32)


def _spread(rows: Float[Tensor, "batch numbers"]) -> Float[Tensor, ""]:
    """Return the root mean squared distance to the mean: of numbers their standard deviation; 1 if all are equal."""
    squared = (rows - rows.mean(0)).square().sum(1).mean()
    return torch.where(squared > 0, squared.sqrt(), 1.0)
