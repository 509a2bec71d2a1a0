"""Label noise by mixing weight and by class pair, with intervals that know that mixtures share samples.

n samples make up to n^2 mixtures, but there are only n samples: an interval that treats the mixtures as independent is
far too narrow. Here the *samples* are resampled, and a mixture counts as often as both of its samples were drawn
together. What is particular to one mixture is then counted up to three times, so that with few mixtures per sample the
intervals are on the wide side; with many they are not. The teacher's own errors are in no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import sparse

from overmix._typing import Float, Int
from overmix.errors import ConfigError
from overmix.explain.noise import LabelNoise

Quantity: TypeAlias = Literal["tv", "bound", "independent", "argmax_disagrees", "third_class"]
_QUANTITIES = ("tv", "bound", "independent", "argmax_disagrees", "third_class")


@dataclass(frozen=True)
class GroupMeans:
    """Mean of a quantity in each group, with a percentile interval; NaN where ``count`` is 0.

    Attributes:
        mean: mean over the mixtures of the group.
        low: lower end of the interval.
        high: upper end of the interval.
        count: number of mixtures.
    """

    mean: Float[np.ndarray, "*groups"]
    low: Float[np.ndarray, "*groups"]
    high: Float[np.ndarray, "*groups"]
    count: Int[np.ndarray, "*groups"]


def check_draws(draws: int) -> None:
    """Refuse a number of bootstrap draws from which no interval can be taken.

    Raises:
        ConfigError: if it is below 1.
    """
    if draws < 1:
        raise ConfigError("draws", draws, "use at least 1")


def mean_noise(
    noise: LabelNoise, quantity: Quantity, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> GroupMeans:
    """Return the mean of a quantity over all mixtures, as arrays of shape ().

    Args:
        noise: the measured mixtures.
        quantity: name of a column of :class:`~overmix.explain.noise.LabelNoise`, a number from 0 to 1 or a yes or no.
        draws: bootstrap draws.
        level: coverage of the interval.
        seed: seed of the bootstrap.

    Raises:
        ConfigError: if an argument cannot work.
    """
    one = _group_means(noise, quantity, np.zeros(len(noise), dtype=np.int64), 1, draws, level, seed)
    return GroupMeans(*(np.asarray(column[0]) for column in (one.mean, one.low, one.high, one.count)))


def noise_by_lam(
    noise: LabelNoise,
    quantity: Quantity,
    edges: Sequence[float] | Float[np.ndarray, " edges"],
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> GroupMeans:
    """Return the mean of a quantity in each bin of the mixing weight; the last bin includes its upper edge.

    Args:
        noise: as for :func:`mean_noise`.
        quantity: as for :func:`mean_noise`.
        edges: increasing edges of the bins; mixtures outside are left out.
        draws: as for :func:`mean_noise`.
        level: as for :func:`mean_noise`.
        seed: as for :func:`mean_noise`.

    Raises:
        ConfigError: if an argument cannot work.
    """
    bins = np.asarray(edges, dtype=np.float64)
    if bins.ndim != 1 or len(bins) < 2 or not np.all(np.diff(bins) > 0):
        raise ConfigError("edges", edges, "use at least two increasing edges")
    group = np.searchsorted(bins, noise.lam, side="right") - 1
    group[noise.lam == bins[-1]] = len(bins) - 2
    group[noise.lam > bins[-1]] = -1
    return _group_means(noise, quantity, group, len(bins) - 1, draws, level, seed)


def noise_by_class_pair(
    noise: LabelNoise, quantity: Quantity, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> GroupMeans:
    """Return the mean of a quantity for each unordered pair of classes, as symmetric (C, C) arrays.

    (a, b) at lam and (b, a) at 1 - lam are the same mixture, so they share a cell.

    Args:
        noise: as for :func:`mean_noise`.
        quantity: as for :func:`mean_noise`.
        draws: as for :func:`mean_noise`.
        level: as for :func:`mean_noise`.
        seed: as for :func:`mean_noise`.

    Raises:
        ConfigError: if an argument cannot work.
    """
    low, high, c = np.minimum(noise.a, noise.b), np.maximum(noise.a, noise.b), noise.num_classes
    flat = _group_means(noise, quantity, low * c + high, c * c, draws, level, seed)
    rows, columns = np.indices((c, c))
    cell = np.minimum(rows, columns) * c + np.maximum(rows, columns)
    return GroupMeans(flat.mean[cell], flat.low[cell], flat.high[cell], flat.count[cell])


def _group_means(
    noise: LabelNoise,
    quantity: Quantity,
    group: Int[np.ndarray, " mixtures"],
    num_groups: int,
    draws: int,
    level: float,
    seed: int,
) -> GroupMeans:
    if quantity not in _QUANTITIES:
        raise ConfigError("quantity", quantity, f"use one of {', '.join(_QUANTITIES)}")
    if not 0 < level < 1:
        raise ConfigError("level", level, "use a number between 0 and 1")
    check_draws(draws)
    inside = group >= 0
    values = np.asarray(getattr(noise, quantity), dtype=np.float64)[inside]
    members = np.stack([noise.index[inside], noise.partner[inside]], axis=1)
    indicator = sparse.csr_array(
        (np.ones(len(values)), (np.arange(len(values)), group[inside])), shape=(len(values), num_groups)
    )
    count = np.asarray(indicator.sum(axis=0)).astype(np.int64)
    with np.errstate(invalid="ignore"):
        mean = np.asarray(values @ indicator) / count
    replicates = _resampled_means(values, indicator, members, draws, seed)
    low, high = _percentiles(replicates, (1 - level) / 2)
    for g in np.flatnonzero(count):
        in_group = group[inside] == g
        if np.ptp(values[in_group]) == 0:
            low[g], high[g] = _interval_of_equal_values(float(mean[g]), members[in_group], (1 - level) / 2)
    return GroupMeans(mean, low, high, count)


def _resampled_means(
    values: Float[np.ndarray, " mixtures"],
    indicator: sparse.csr_array,
    members: Int[np.ndarray, "mixtures 2"],
    draws: int,
    seed: int,
) -> Float[np.ndarray, "draws groups"]:
    """Group means in each bootstrap draw of the samples, NaN where a draw leaves a group empty."""
    if len(values) == 0:
        return np.full((draws, indicator.shape[1]), np.nan)
    rng = np.random.default_rng(seed)
    samples, position = np.unique(members, return_inverse=True)
    first, second = position.reshape(members.shape).T
    weighted = sparse.diags_array(values) @ indicator
    chunk = max(1, 4_000_000 // len(values))  # about 32 MB of weights at a time
    means = []
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        drawn = rng.multinomial(len(samples), np.full(len(samples), 1 / len(samples)), size=size)
        weights = np.where(first == second, drawn[:, first], drawn[:, first] * drawn[:, second]).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means.append(np.asarray(weights @ weighted) / np.asarray(weights @ indicator))
    return np.concatenate(means)


def _percentiles(
    replicates: Float[np.ndarray, "draws groups"], tail: float
) -> tuple[Float[np.ndarray, " groups"], Float[np.ndarray, " groups"]]:
    low, high = np.full((2, replicates.shape[1]), np.nan)
    for g, column in enumerate(replicates.T):
        kept = column[~np.isnan(column)]
        if len(kept):
            low[g], high[g] = np.quantile(kept, [tail, 1 - tail])
    return low, high


def _interval_of_equal_values(value: float, members: Int[np.ndarray, "mixtures 2"], tail: float) -> tuple[float, float]:
    """Interval where all values of a group are equal, which a bootstrap would call certain.

    If n independent mixtures all show ``value``, the share q of others is at most ``1 - tail^(1/n)`` (the exact
    binomial limit), and the mean of numbers in [0, 1] lies within q of the value accordingly.
    """
    q = 1 - tail ** (1 / _count_disjoint(members))
    return value * (1 - q), value * (1 - q) + q


def _count_disjoint(members: Int[np.ndarray, "mixtures 2"]) -> int:
    """Number of mixtures, taken greedily, of which no two have a sample in common: these are independent."""
    taken: set[int] = set()
    count = 0
    for pair in members.tolist():
        if taken.isdisjoint(pair):
            taken.update(pair)
            count += 1
    return count
