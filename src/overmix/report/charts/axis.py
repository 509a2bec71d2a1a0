"""An axis: what it says, where it ends, and how its values are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from overmix.report.charts.layers import Layer, quantitative, short


@dataclass(frozen=True)
class Axis:
    """One axis of a chart.

    Args:
        name: in words, as in "lowest at step 128".
        log: whether it is logarithmic.
        domain: its two ends; the data's if not given.
        closeup: the part that is shown unless the page's "whole curve" is chosen; all if not given.
        format: of its numbers, as Vega writes them; its own if ``None``.
        ticks: where it has them; where it likes if there are none.
        digits: significant digits of a value in words; ``None`` for whole numbers.
    """

    name: str
    log: bool = False
    domain: tuple[float, float] | None = None
    closeup: tuple[float, float] | None = None
    format: str | None = "~f"
    ticks: Sequence[float] = ()
    digits: int | None = 4

    @property
    def title(self) -> str:
        """What stands beside the axis."""
        return f"{self.name} (log scale)" if self.log else self.name

    def text(self, x: float) -> str:
        """Write a value."""
        return f"{x:,.0f}" if self.digits is None else f"{x:,.{self.digits}g}"

    def holds(self, x: float) -> bool:
        """Return whether a value has a place on the axis; a logarithmic one has none for zero."""
        return x == x and (x > 0 or not self.log)

    def horizontal(self, field: str = "epoch") -> Layer:
        """Encode a field along the axis, from left to right."""
        ticks = {"values": list(self.ticks)} if self.ticks else {"tickCount": 8}
        return self._encoded(field, {**ticks, "title": self.title})

    def vertical(self, field: str = "mean") -> Layer:
        """Encode a field along the axis, upwards; the chart's own title says what it is."""
        return self._encoded(field, {"tickCount": 6, "title": None})

    def _encoded(self, field: str, axis: Layer) -> Layer:
        written = {} if self.format is None else {"format": self.format}
        return quantitative(field) | {"scale": self._scale(), "axis": {**axis, **written}}

    def _scale(self) -> Layer:
        kind: Layer = {"type": "log"} if self.log else {"type": "linear", "zero": False}
        if self.domain is None:
            return kind
        ends = [_end(whole, part) for whole, part in zip(self.domain, self.closeup or self.domain, strict=True)]
        return kind | {"domain": ends, "nice": False}


def _end(whole: float, part: float) -> float | Layer:
    """Return where an axis ends: the parameter ``full`` widens it from the part to the whole."""
    return whole if part == whole else {"expr": f"full ? {short(whole)} : {short(part)}"}
