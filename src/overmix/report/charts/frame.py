"""Where a chart's frame ends, and where its labels go, so that the part that matters is large and readable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overmix._typing import Float

_SMALL = tuple(float(f"{digit}e{power}") for power in range(-6, 0) for digit in (1, 2, 5))
_ROUND = tuple(digit * 10**power for power in range(9) for digit in (1, 2, 5))


Values = Float[np.ndarray, " n"]


def focus(curves: Sequence[tuple[Values, Values, Values, Values]]) -> tuple[float, float]:
    """Return the vertical range that shows what happens from each curve's minimum on.

    An untrained model's error is ten times that of a trained one; a frame that holds both hides the turn. So the frame
    reaches from the lowest band to the highest value after a minimum, and in any case over the last tenfold of epochs;
    then as much again for the descent, but never beyond the data.

    Args:
        curves: (epoch, mean, lo, hi) per condition, each of shape (n,).
    """
    highs = []
    for epoch, mean, _, hi in curves:
        after = np.arange(len(mean)) >= np.argmin(mean)
        highs.append(float(max(hi[after].max(), mean[epoch >= epoch[-1] / 10].max())))
    # A condition that failed to learn must not flatten the others; it is drawn, but may leave the frame.
    typical = sorted(highs)[(len(highs) - 1) // 2]
    high = max(value for value in highs if value <= 4 * typical)
    low, top = min(float(lo.min()) for _, _, lo, _ in curves), max(float(hi.max()) for _, _, _, hi in curves)
    room = max(high - low, 0.02 * abs(high), 1e-9)
    return max(0.0, low - 0.35 * room), min(high + 0.75 * room, top + 0.1 * room)


def entry(curves: Sequence[tuple[Values, Values]], top: float, begin: float = 1.0) -> float:
    """Return the round epoch (1, 2, 5, 10, ...) from which some (epoch, mean) curve lies below ``top``.

    Not before ``begin``; on other axes than that of epochs there are round numbers below 1 too.

    Example:
        >>> epoch, error = np.array([1.0, 10.0, 25.0, 600.0]), np.array([0.8, 0.3, 0.1, 0.1])
        >>> entry([(epoch, error)], top=0.2)
        20.0
    """
    inside = [float(epoch[mean <= top][0]) for epoch, mean in curves if (mean <= top).any()]
    first = min(inside, default=begin)
    last = max(float(epoch[-1]) for epoch, _ in curves)
    return float(max([begin, *(tick for tick in (*_SMALL, *_ROUND) if begin <= tick <= min(first, last / 10))]))


def spread(values: Sequence[float], gap: float, low: float = -np.inf, high: float = np.inf) -> list[float]:
    """Move values apart until neighbours differ by at least ``gap``, as little as possible in the least-squares sense.

    ``low`` and ``high`` bound the result where there is room for all; where there is not, ``low`` wins.

    With the values sorted and i·gap subtracted from the i-th, the condition reads "non-decreasing", so the answer is
    an isotonic regression (pool adjacent violators).

    Example:
        >>> spread([1.0, 1.0, 5.0], gap=1.0)
        [0.5, 1.5, 5.0]
    """
    order = sorted(range(len(values)), key=lambda i: values[i])
    blocks: list[tuple[float, int]] = []
    for rank, i in enumerate(order):
        mean, size = values[i] - rank * gap, 1
        while blocks and blocks[-1][0] >= mean:
            other, n = blocks.pop()
            mean, size = (other * n + mean * size) / (n + size), n + size
        blocks.append((mean, size))
    level = [mean for mean, size in blocks for _ in range(size)]
    placed = [0.0] * len(values)
    for rank, i in enumerate(order):
        left = len(values) - 1 - rank
        placed[i] = max(min(level[rank] + rank * gap, high - left * gap), low + rank * gap)
    return placed


def log_ticks(first: float, last: float) -> list[float]:
    """Return ..., 0.5, 1, 2, 5, 10, ... within the range, and its end where that stands clear of them.

    Example:
        >>> log_ticks(1, 300)
        [1, 2, 5, 10, 20, 50, 100, 200, 300]
    """
    ticks: list[float] = [tick for tick in (*_SMALL, *_ROUND) if first <= tick <= last]
    if not ticks or last / ticks[-1] > 1.3:
        ticks.append(last)
    return ticks
