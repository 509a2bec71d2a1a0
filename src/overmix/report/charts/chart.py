"""A chart as data: one Vega-Lite specification, and the words that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chart:
    """One figure of a report.

    Args:
        name: stem of the figure's files and its id on the page (``"test-error"``).
        title: heading on the page.
        caption: what is drawn, in plain words.
        note: where the band comes from; many charts of a report share it.
        alt: what can be seen, with numbers, for readers who do not see it.
        spec: the Vega-Lite specification, without colours (see ``look.chart_config``).
        table: the same data to read: a header row and rows of text.
    """

    name: str
    title: str
    caption: str
    note: str
    alt: str
    spec: dict[str, Any]
    table: Sequence[Sequence[str]] = ()
