"""The picture: one frame for each row, with what the row says."""

import io

import pytest
from PIL import Image

from overmix.report.figures import to_png, to_svg
from tools.census.figure import chart, frame, picture
from tools.png import packed


@pytest.fixture
def row(rows):
    return rows[0]


def values(framed, shape):
    return [mark["data"]["values"] for mark in framed["layer"] if mark["mark"].get("shape") == shape]


@pytest.mark.slow
def test_it_is_a_picture_of_moderate_size(rows):
    png = picture(rows)
    assert png.startswith(b"\x89PNG")
    assert 10_000 < len(png) < 1_000_000


def test_packing_keeps_every_pixel(rows):
    whole = to_png(to_svg(chart(rows)), scale=1.0)
    small = packed(whole)
    assert len(small) < len(whole)
    with Image.open(io.BytesIO(whole)) as before, Image.open(io.BytesIO(small)) as after:
        after.verify()
        assert before.size == after.size
    with Image.open(io.BytesIO(whole)) as before, Image.open(io.BytesIO(small)) as after:
        assert before.tobytes() == after.tobytes()


def test_every_row_has_its_frame(rows):
    assert [framed["title"]["text"] for framed in chart(rows)["concat"]] == [row["name"] for row in rows]


def test_every_switch_and_autoswitch_are_drawn_where_they_ended(row):
    framed = frame(row)
    (diamond,) = values(framed, "diamond")
    assert diamond[0]["value"] == pytest.approx(100 * row["final"]["auto"]["mean"])
    (dots,) = [
        m["data"]["values"] for m in framed["layer"] if m["mark"]["type"] == "point" and "shape" not in m["mark"]
    ]
    assert [dot["epoch"] for dot in dots] == row["grid"][1:]  # never on has no place on a logarithmic axis
    for dot in [*dots, *diamond]:
        low, high = framed["layer"][-1]["encoding"]["y"]["scale"]["domain"]
        assert low <= dot["value"] <= high
        first, last = framed["layer"][-1]["encoding"]["x"]["scale"]["domain"]
        assert first <= dot["epoch"] <= last


@pytest.mark.parametrize(("verdict", "lines"), [("u-shaped", 1), ("undecided", 0), ("monotone", 0)])
def test_only_a_u_has_a_turning_epoch(row, verdict, lines):
    row["diagnosis"]["on"]["verdict"] = verdict
    (rule,) = [mark for mark in frame(row)["layer"] if mark["mark"]["type"] == "rule"]
    assert len(rule["data"]["values"]) == lines


def test_looks_after_a_divergence_are_left_out(row):
    row["curves"]["on"]["mean"][-1] = row["curves"]["on"]["ci"][-1] = None
    (line,) = [
        m["data"]["values"]
        for m in frame(row)["layer"]
        if m["mark"]["type"] == "line" and "strokeDash" not in m["mark"]
    ]
    assert len(line) == len(row["looks"]) - 1
