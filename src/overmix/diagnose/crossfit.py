"""Cross-fitted depth: the epoch is chosen on one half of the units, the depth read on the other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from overmix._typing import Bool, Float
from overmix.errors import ConfigError


@dataclass(frozen=True)
class BootstrapCurves:
    """Curves of groups of distinct units, under every bootstrap sample; draw 0 is the data themselves.

    Attributes:
        total: shape (groups, draws, epochs), weighted sums over the units of the group.
        weight: shape (groups, draws), the sums of the weights.
    """

    total: Float[np.ndarray, "groups draws epochs"]
    weight: Float[np.ndarray, "groups draws"]

    def mean(self) -> Float[np.ndarray, "draws epochs"]:
        """Mean curve over all units of each draw."""
        curves: Float[np.ndarray, "draws epochs"] = self.total.sum(axis=0) / self.weight.sum(axis=0)[:, None]
        return curves

    def half(self, members: Bool[np.ndarray, " groups"]) -> Float[np.ndarray, "draws epochs"]:
        """Mean curve over the units of some groups; NaN in draws that hold none of them."""
        weight = self.weight[members].sum(axis=0)[:, None]
        total = self.total[members].sum(axis=0)
        curves: Float[np.ndarray, "draws epochs"] = np.divide(
            total, weight, out=np.full_like(total, np.nan), where=weight > 0
        )
        return curves


def choose_splits(n_groups: int, n_splits: int, rng: np.random.Generator) -> list[Bool[np.ndarray, " groups"]]:
    """Different splits of the groups into two halves, drawn without replacement, as masks of the first half.

    Halves differ in size by at most one group. A split and its mirror image count as one.

    Raises:
        ConfigError: fewer than one split, or more than there are.
    """
    most = comb(n_groups, n_groups // 2) // (2 if n_groups % 2 == 0 else 1)
    if not 1 <= n_splits:
        raise ConfigError("n_splits", n_splits, "use at least 1")
    # With an even number, halves that hold group 0 stand for both orders of a split.
    if n_groups % 2 == 0:
        every = [(0, *rest) for rest in combinations(range(1, n_groups), n_groups // 2 - 1)]
    else:
        every = list(combinations(range(n_groups), n_groups // 2))
    chosen = rng.choice(most, size=min(n_splits, most), replace=False)
    masks = []
    for index in chosen:
        mask = np.zeros(n_groups, dtype=bool)
        mask[list(every[index])] = True
        masks.append(mask)
    return masks


def cross_fitted_depth(
    draws: BootstrapCurves, splits: list[Bool[np.ndarray, " groups"]], smoother: Float[np.ndarray, "epochs epochs"]
) -> Float[np.ndarray, " draws"]:
    """Depth of each draw, averaged over the splits and both directions of each.

        ``e_H'(T) - e_H'(argmin_t smooth(e_H)(t))``

    A draw that leaves one half of a split without units leaves that split out of its average.
    """
    total, count = np.zeros(draws.weight.shape[1]), np.zeros(draws.weight.shape[1])
    for members in splits:
        halves = draws.half(members), draws.half(~members)
        usable = np.isfinite(halves[0][:, 0]) & np.isfinite(halves[1][:, 0])
        for choose_on, read_on in (halves, halves[::-1]):
            at = np.argmin(choose_on @ smoother.T, axis=1)
            depth = read_on[:, -1] - np.take_along_axis(read_on, at[:, None], axis=1)[:, 0]
            total += np.where(usable, depth, 0.0)
            count += usable
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)
