"""An answer to "why?": a sentence, findings, numbers, charts and tables, before they become text, JSON or a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overmix.report.charts import Chart
from overmix.report.table import Table


@dataclass(frozen=True)
class Explanation:
    """What one command found.

    Args:
        name: of what is explained (``"loss floor"``), shown on the page.
        sentence: the answer in one sentence, with numbers.
        findings: what else was found, in plain words; negative results too.
        summary: all numbers, ready for JSON: no NaN, every estimate with its interval and count.
        charts: in reading order.
        tables: for terminal and page.
        method: pairs of a term and what it means here.
        pages: pairs of a text and the address, below this page's folder, of a page with more.
        command: of overmix, shown on the page.
        kicker: stands above the sentence.
        numbers: name of the file that holds the summary.
    """

    name: str
    sentence: str
    findings: Sequence[str]
    summary: Mapping[str, Any]
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    method: Sequence[tuple[str, str]] = field(default_factory=tuple)
    pages: Sequence[tuple[str, str]] = ()
    command: str = "explain"
    kicker: str = "Why"
    numbers: str = "summary.json"


@dataclass(frozen=True)
class ExplanationFiles:
    """What was written: the page, the numbers, and the figures (a PNG and an SVG each)."""

    page: Path
    summary: Path
    figures: tuple[Path, ...]
