"""A chart as data: one Vega-Lite specification, and the words that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from overmix.report.table import Table


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
        table: the same data to read.
    """

    name: str
    title: str
    caption: str
    note: str
    alt: str
    spec: dict[str, Any]
    table: Table


def specification(
    alt: str,
    title: str,
    size: tuple[int, int],
    *,
    subtitle: str = "",
    page: dict[str, Any] | None = None,
    **parts: Any,
) -> dict[str, Any]:
    """Return a Vega-Lite specification: the frame that all charts have, around their own parts.

    Args:
        alt: the chart in words.
        title: of the figure.
        size: width and height of the frame in pixels, in the figure files.
        subtitle: of the figure.
        page: what the page's script needs to know: ``subtitle``, if another is shown there, and ``x``, the horizontal
            encoding for each scale.
        **parts: data, params, encoding and layers.
    """
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": alt,
        "title": {"text": title, "subtitle": subtitle} if subtitle else {"text": title},
        "width": size[0],
        "height": size[1],
        "padding": 10,
        **parts,
        "usermeta": {"overmix": {"subtitle": subtitle} | (page or {})},
    }
