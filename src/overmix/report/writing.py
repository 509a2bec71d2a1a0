"""From a finished study to files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from overmix.errors import RunDirectoryError
from overmix.files.folders import made_folder
from overmix.report.figures import light, strokes_of, to_png, to_svg
from overmix.report.page import render, sections
from overmix.report.shown import report_of
from overmix.study import StudyResult
from overmix.study.store.files import write_bytes


@dataclass(frozen=True)
class ReportFiles:
    """What a report consists of: the page, and its figures (a PNG and an SVG each)."""

    page: Path
    figures: tuple[Path, ...]


def write_report(result: StudyResult, out: Path) -> ReportFiles:
    """Write ``report.html`` and ``figures/*.png|svg`` of a finished study into a folder.

    The page is self-contained: it works without network and without the figures beside it. Each file is written whole
    or not at all, the page last.

    Args:
        result: the study's result.
        out: the folder, made if missing.

    Raises:
        RunDirectoryError: the folder cannot be written to.
    """
    report = report_of(result)
    parts = sections(report)
    figures: list[Path] = []
    still: dict[str, str] = {}
    for chart in (chart for part in parts for chart in part.charts):
        svg = to_svg(light(chart, strokes_of(report)))
        still = still or {chart.name: svg}  # the first chart is the one that decides
        figures += write_figure(out, chart.name, svg)
    page = write_file(out / "report.html", render(report, parts, still).encode())
    return ReportFiles(page, tuple(figures))


def write_figure(out: Path, name: str, svg: str) -> tuple[Path, Path]:
    """Write ``figures/NAME.png`` and ``figures/NAME.svg``, and return their paths.

    Raises:
        RunDirectoryError: if they cannot be written, or ``figures`` is a link, which leads somewhere else.
    """
    stem = figures_folder(out) / name
    return write_file(stem.with_suffix(".png"), to_png(svg)), write_file(stem.with_suffix(".svg"), svg.encode())


def figures_folder(out: Path) -> Path:
    """Return the folder for the figures of a page.

    Raises:
        RunDirectoryError: if it is a link, which leads somewhere else.
    """
    folder = out / "figures"
    if folder.is_symlink():
        raise RunDirectoryError(f"{folder}: it is a link to another folder: remove it, or choose another folder")
    return folder


def write_file(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all, its folder made if missing; return its path.

    Raises:
        RunDirectoryError: if it cannot be written.
    """
    made_folder(path.parent)
    write_bytes(path, content)
    return path
