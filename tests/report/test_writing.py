from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from overmix.errors import RunDirectoryError
from overmix.report import readme_figure, write_report

Make = Callable[..., Any]
NAMES = ["test-error", "calibration", "cross-entropy", "brier", "training-loss", "training-error"]


def png_size(content: bytes) -> tuple[int, int]:
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", content[16:24])


@pytest.mark.slow
def test_report_is_a_page_and_figures(make_result: Make, tmp_path: Path) -> None:
    files = write_report(make_result(seeds=3, epochs=50), tmp_path / "new" / "run")
    assert files.page == tmp_path / "new" / "run" / "report.html"
    figures = {path.name for path in files.figures}
    assert figures == {f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")}
    written = {path for path in (tmp_path / "new" / "run").rglob("*") if path.is_file()}
    assert written == {files.page, *files.figures}
    for svg in (path for path in files.figures if path.suffix == ".svg"):
        root = ElementTree.fromstring(svg.read_text(encoding="utf-8"))
        size = (2 * float(root.attrib["width"]), 2 * float(root.attrib["height"]))
        assert png_size(svg.with_suffix(".png").read_bytes()) == pytest.approx(size, abs=1)


def test_folder_that_cannot_be_made(make_result: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunDirectoryError, match="file"):
        write_report(make_result(seeds=1, epochs=1), tmp_path / "file")


def test_a_link_in_the_place_of_the_figures_is_not_followed(make_result: Make, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "figures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirectoryError, match="figures: it is a link to another folder"):
        write_report(make_result(), tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_figure_for_a_readme(make_result: Make) -> None:
    width, height = png_size(readme_figure(make_result(seeds=3)))
    assert 1500 < width < 2000
    assert 800 < height < 1000
