"""Isotonic regression: the falling curve, and the curve that falls and then rises, nearest to the data."""

from __future__ import annotations

import numpy as np

from overmix._typing import Float


def falling(values: Float[np.ndarray, " epochs"]) -> Float[np.ndarray, " epochs"]:
    """Non-increasing curve nearest to the values, ``argmin Σ (y_t - f_t)²`` with ``f_t >= f_{t+1}``.

    Example:
        >>> falling(np.array([3.0, 1.0, 2.0, 0.0]))
        array([3. , 1.5, 1.5, 0. ])

    Source: M. Ayer et al., "An empirical distribution function for sampling with incomplete information", 1955 (pool
    adjacent violators).
    """
    means, sizes, _ = _pool(values)
    return np.repeat(means, sizes)


def falling_then_rising(values: Float[np.ndarray, " epochs"]) -> Float[np.ndarray, " epochs"]:
    """Curve nearest to the values that falls up to some epoch and rises after it.

    Every epoch is tried as the first of the rising part; running errors of both parts make that one pass each way. A
    curve that only falls is one of the candidates, and wins a tie.

    Example:
        >>> falling_then_rising(np.array([3.0, 1.0, 2.0, 1.5, 4.0]))
        array([3.  , 1.  , 1.75, 1.75, 4.  ])

    Source: Z. Geng and N.-Z. Shi, "Isotonic regression for umbrella orderings", 1990.
    """
    left = _pool(values)[2]
    right = _pool(values[::-1])[2]
    split = len(values) - int(np.argmin(left[::-1] + right))
    return np.concatenate([falling(values[:split]), falling(values[split:][::-1])[::-1]])


def _pool(values: Float[np.ndarray, " epochs"]) -> tuple[list[float], list[int], Float[np.ndarray, " prefixes"]]:
    """Pooled means and sizes, and the squared error of the best falling fit to each prefix, the empty one first."""
    means: list[float] = []
    sizes: list[int] = []
    error = np.zeros(len(values) + 1)
    for t, value in enumerate(values.tolist()):
        mean, size, lost = value, 1, 0.0
        while means and means[-1] < mean:
            before, n = means.pop(), sizes.pop()
            lost += n * size / (n + size) * (before - mean) ** 2
            mean, size = (n * before + size * mean) / (n + size), n + size
        means.append(mean)
        sizes.append(size)
        error[t + 1] = error[t] + lost
    return means, sizes, error
