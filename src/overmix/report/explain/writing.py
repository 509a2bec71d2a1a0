"""From an explanation to files: one page that needs nothing else, the figures, and the numbers."""

from __future__ import annotations

import json
from pathlib import Path

from markupsafe import Markup

from overmix.errors import RunDirectoryError
from overmix.files.folders import check_writable
from overmix.report.charts import Chart
from overmix.report.explain.explanation import Explanation, ExplanationFiles
from overmix.report.figures import light, to_svg
from overmix.report.look import DARK, LIGHT, chart_config, in_page_colors
from overmix.report.page import download_of, fill
from overmix.report.writing import figures_folder, write_figure, write_file


def render_explanation(explanation: Explanation, stills: dict[str, str]) -> str:
    """Return the page, self-contained and escaped.

    Args:
        explanation: what was found.
        stills: charts as SVG by name, shown where scripts do not run.
    """
    content = json.dumps(explanation.summary, indent=2, ensure_ascii=False, allow_nan=False).encode()
    versions = explanation.summary.get("versions") or {}
    return fill(
        "explanation.html",
        {
            "charts": {chart.name: chart.spec for chart in explanation.charts},
            "configs": {"light": chart_config(LIGHT, ()), "dark": chart_config(DARK, ())},
            "conditions": [],
        },
        explanation=explanation,
        stills={name: Markup(in_page_colors(svg)) for name, svg in stills.items()},
        download=download_of(explanation.numbers, "Numbers (JSON)", "application/json", content),
        versions=" · ".join(f"{name} {version}" for name, version in versions.items()),
    )


def still(chart: Chart) -> str:
    """Return an explanation's chart as SVG, in the light theme on paper."""
    return to_svg(light(chart))


def check_explanation_place(out: Path) -> None:
    """Refuse a folder that :func:`write_explanation` could not write to, before what is to be explained is measured.

    Args:
        out: the folder; it need not be there, and is not made.

    Raises:
        RunDirectoryError: if it cannot be made or written, or another folder is in the place of a file.
    """
    for folder in (out, figures_folder(out)):
        check_writable(folder)
    for file in (out / Explanation.numbers, out / "report.html"):
        if file.is_dir():
            raise RunDirectoryError(f"{file}: it is a folder: choose another folder")


def write_explanation(explanation: Explanation, out: Path) -> ExplanationFiles:
    """Write ``report.html``, the numbers and ``figures/*.png|svg`` into a folder; each file whole or not at all.

    Args:
        explanation: what was found.
        out: the folder, made if missing.

    Raises:
        RunDirectoryError: the folder cannot be written to.
    """
    figures: list[Path] = []
    stills: dict[str, str] = {}
    for chart in explanation.charts:
        svg = still(chart)
        stills.setdefault(chart.name, svg)
        figures += write_figure(out, chart.name, svg)
    numbers = json.dumps(explanation.summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    summary = write_file(out / explanation.numbers, numbers.encode())
    page = write_file(out / "report.html", render_explanation(explanation, stills).encode())
    return ExplanationFiles(page, summary, tuple(figures))
