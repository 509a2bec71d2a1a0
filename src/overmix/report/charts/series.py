"""A line as data: its points, what the pointer and its end say, and the same in words and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from overmix._typing import Float, Int
from overmix.report.charts.axis import Axis
from overmix.report.charts.frame import spread
from overmix.report.charts.layers import Rows, short
from overmix.report.numbers import NONE, significant
from overmix.report.table import Table

DASHED = (5, 3)
"""The dash pattern of a reference."""

LABEL_HEIGHT = 17  # pixels between names at the lines' ends
_SMALLEST = 1e-12  # what a logarithmic axis shows instead of zero
_ROWS = 25  # of a table whose axis has no ticks


@dataclass(frozen=True)
class Values:
    """How the values of lines are drawn and written.

    Args:
        write: writes a value, with its interval where there is one.
        scale: what they are multiplied by in the picture: 100 for fractions that are shown as percent.
    """

    write: Callable[[float, float | None, float | None], str] = significant
    scale: float = 1.0


PLAIN_LOOK = Values()


@dataclass(frozen=True)
class Series:
    """One line; points without a value (NaN) are left out.

    Args:
        name: of the line, which its colour belongs to.
        x: places, ascending, shape (points,).
        mean: shape (points,).
        lo: lower ends of intervals, NaN where there is none.
        hi: upper ends.
        dash: pattern in pixels; a first line that has one takes the neutral colour of a reference.
        label: what stands at its end before its last value; the name if empty.
        over: lines with more are drawn over those with less.
        twin: name of the line whose path its first points share.
        shared: how many points that are.
    """

    name: str
    x: Float[np.ndarray, " points"]
    mean: Float[np.ndarray, " points"]
    lo: Float[np.ndarray, " points"] | None = None
    hi: Float[np.ndarray, " points"] | None = None
    dash: tuple[int, ...] = ()
    label: str = ""
    over: int = 0
    twin: str = ""
    shared: int = 0

    @property
    def known(self) -> Int[np.ndarray, " known"]:
        """Indices of the points that have a value."""
        return np.flatnonzero(np.isfinite(self.mean))

    @property
    def has_band(self) -> bool:
        """Whether some point has an interval."""
        return any(self.interval(k)[0] is not None for k in self.known)

    @property
    def ends(self) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
        """Ends of the intervals; the values themselves for a line without."""
        return (self.mean if self.lo is None else self.lo), (self.mean if self.hi is None else self.hi)

    def interval(self, k: int | np.integer) -> tuple[float | None, float | None]:
        """Return the interval of a point, or twice None."""
        if self.lo is None or self.hi is None or not (np.isfinite(self.lo[k]) and np.isfinite(self.hi[k])):
            return None, None
        return float(self.lo[k]), float(self.hi[k])

    def says(self, k: int | np.integer, values: Values) -> str:
        """Write a point with its interval."""
        return values.write(float(self.mean[k]), *self.interval(k))


def rows_of(series: Sequence[Series], x_axis: Axis, y_axis: Axis, values: Values) -> Rows:
    """Return one row per point that has a place on the axes, in drawing order."""
    rows = []
    for line in sorted(series, key=lambda line: line.over):
        for k in line.known:
            place, mean = float(line.x[k]), values.scale * float(line.mean[k])
            if not (x_axis.holds(place) and y_axis.holds(mean)):
                continue
            row = {"condition": line.name, "epoch": short(place), "mean": short(mean)}
            lo, hi = line.interval(k)
            if lo is not None and hi is not None:
                lowest = max(values.scale * lo, _SMALLEST) if y_axis.log else values.scale * lo
                row |= {"lo": short(lowest), "hi": short(values.scale * hi)}
            rows.append(row | {"twin": line.twin} if k < line.shared else row)
    return rows


def hover_rows(series: Sequence[Series], x_axis: Axis, values: Values) -> Rows:
    """Return one row per place, with what the tooltip says there: of the lines that have a value there."""
    says: dict[float, dict[str, str]] = {}
    for line in series:
        for k in line.known:
            if x_axis.holds(place := float(line.x[k])):
                said = says.setdefault(place, {x_axis.name: x_axis.text(place)})
                said[_tooltip_key(line.name, x_axis.name)] = line.says(k, values)
    return [{"epoch": short(place), "says": says[place]} for place in sorted(says)]


def _tooltip_key(name: str, axis: str) -> str:
    """Set a name apart from the keys that mean something else to the tooltip."""
    return f"{name}\u00a0" if name in ("title", "image", axis) else name


def end_rows(series: Sequence[Series], y_axis: Axis, values: Values, height: int) -> Rows:
    """Return names with final values, and where they go without overlap, in the close-up and in the whole range."""
    assert y_axis.domain is not None
    ending = [line for line in series if len(line.known)]
    finals = [float(line.mean[line.known[-1]]) for line in ending]
    focused, whole = (
        _apart([values.scale * final for final in finals], domain, height, log=y_axis.log)
        for domain in (y_axis.closeup or y_axis.domain, y_axis.domain)
    )
    return [
        {
            "condition": line.name,
            "text": f"{line.label or line.name} {values.write(final, None, None)}",
            "focused": short(near),
            "whole": short(far),
        }
        for line, final, near, far in zip(ending, finals, focused, whole, strict=True)
    ]


def _apart(finals: Sequence[float], domain: tuple[float, float], height: int, *, log: bool) -> list[float]:
    """Move final values apart until their names do not touch, inside of the domain."""
    low, high = (float(end) for end in (np.log10(domain) if log else domain))
    places = [float(np.log10(max(final, _SMALLEST))) if log else final for final in finals]
    pixel = (high - low) / height
    inside = [min(max(place, low), high) for place in places]
    placed = spread(inside, LABEL_HEIGHT * pixel, low + 6 * pixel, high - 6 * pixel)
    return [10**place if log else place for place in placed]


def describe(head: str, series: Sequence[Series], x_axis: Axis, values: Values) -> str:
    """Say what a chart of these lines shows, for readers who do not see it."""
    sentences = [head]
    for line in series:
        if not len(line.known):
            continue
        lowest, last = line.known[int(np.argmin(line.mean[line.known]))], line.known[-1]
        at = f"{x_axis.name} {x_axis.text(float(line.x[lowest]))}"
        low, final = (values.write(float(line.mean[k]), None, None) for k in (lowest, last))
        sentences.append(f"{line.name}: lowest {low} at {at}, at the end {final}.")
    return " ".join(sentences)


def tabulate(caption: str, series: Sequence[Series], x_axis: Axis, values: Values, *, last_look: bool = False) -> Table:
    """Return the lines at the places nearest to the axis' ticks, the first line's name in the second column.

    Args:
        caption: of the table.
        series: the lines.
        x_axis: of their places.
        values: how they are written.
        last_look: lines that are looked at in different places are shown as at their last look up to there.
    """
    places = np.unique(np.concatenate([line.x for line in series]))
    if x_axis.ticks:
        near = {int(np.argmin(np.abs(places - tick))) for tick in x_axis.ticks} | {len(places) - 1}
        chosen = places[sorted(near)]
    else:
        chosen = places[np.unique(np.linspace(0, len(places) - 1, min(len(places), _ROWS)).round().astype(int))]
    rows = [
        [x_axis.text(place), *(_cell(line, place, values, last_look=last_look) for line in series)] for place in chosen
    ]
    return Table(caption, [f"{x_axis.name[0].upper()}{x_axis.name[1:]}", *(line.name for line in series)], rows)


def _cell(line: Series, place: float, values: Values, *, last_look: bool) -> str:
    known = line.known
    here = known[line.x[known] <= place] if last_look else known[line.x[known] == place]
    return line.says(here[-1], values) if len(here) else NONE
