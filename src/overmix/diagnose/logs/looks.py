"""The looks at one metric, as they stand in a log: several at one place, NaN where there was none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overmix._typing import Float


class LoggedValue(NamedTuple):
    """One value of a metric.

    Attributes:
        place: on the horizontal axis; the row's number if rows are counted.
        value: of the metric.
        row: where both stand.
    """

    place: float
    value: float
    row: Mapping[str, object]


def several_at_once(looks: Sequence[LoggedValue]) -> dict[float, int]:
    """Return the places that have different values one behind the other, and how many each has; NaN is none."""
    values: dict[float, list[float]] = {}
    before: float | None = None
    for look in looks:
        if look.place != before:
            values[look.place] = []
        before = look.place
        if not math.isnan(look.value):
            values[look.place].append(look.value)
    return {place: len(given) for place, given in values.items() if len(set(given)) > 1}


def last_of_each(looks: Sequence[LoggedValue]) -> dict[float, float]:
    """Return the last value of each place; a NaN behind a number of the same place is a row without a look."""
    last: dict[float, float] = {}
    before: float | None = None
    for look in looks:
        if not (math.isnan(look.value) and look.place == before):
            last[look.place] = look.value
        before = look.place
    return last


def without_holes(
    epochs: Float[np.ndarray, " epochs"], values: Float[np.ndarray, " epochs"]
) -> tuple[Float[np.ndarray, " looks"], Float[np.ndarray, " looks"]]:
    """Leave out each NaN that a number follows: loggers write it where there was no look.

    At the end a run has diverged, unless no more NaN stand there than between two numbers before: then the next look
    was not due yet.
    """
    numbers = np.flatnonzero(~np.isnan(values))
    if not np.isfinite(values).any():
        return epochs, values
    longest_hole = int(np.diff(numbers).max(initial=1)) - 1
    last = int(np.flatnonzero(np.isfinite(values))[-1])
    tail = values[last + 1 :]
    due = len(tail) > longest_hole or not np.isnan(tail).all()
    kept = ~np.isnan(values) | (due & (np.arange(len(values)) > last))
    return epochs[kept], values[kept]
