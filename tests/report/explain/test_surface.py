import numpy as np
import pytest

from overmix.report.explain import still
from overmix.report.explain.surface import surface_chart

STEPS = np.linspace(-1, 1, 5)


def bowl(top=3.0, hole=False):
    loss = STEPS[:, None] ** 2 + 2 * STEPS[None] ** 2
    if hole:
        loss[0, 0] = np.inf
    return surface_chart("bowl", "A bowl", STEPS, loss, top=top, subtitle="seed 0")


def test_cells_tile_the_plane_and_lie_where_their_loss_is():
    cells = bowl().spec["data"]["values"]
    assert len(cells) == 25
    (cell,) = (cell for cell in cells if cell["x"] == pytest.approx(-1.25) and cell["y"] == pytest.approx(-0.25))
    assert cell["loss"] == pytest.approx(1.0)
    assert (cell["x2"], cell["y2"]) == (pytest.approx(-0.75), pytest.approx(0.25))
    (cell,) = (cell for cell in cells if cell["x"] == pytest.approx(-0.25) and cell["y"] == pytest.approx(0.75))
    assert cell["loss"] == pytest.approx(2.0)


def test_the_colours_end_where_they_are_told_to():
    assert bowl(top=7.0).spec["encoding"]["color"]["scale"]["domain"] == [0, 7.0]


def test_what_is_not_finite_stays_empty():
    chart = bowl(hole=True)
    assert len(chart.spec["data"]["values"]) == 24
    assert chart.table.rows[0][1] == "–"
    assert "inf" not in chart.alt


def test_words_and_table_say_what_is_seen():
    chart = bowl()
    # Rings of the bowl: mean of a^2 + 2 b^2 over the cells near a radius of 1/2 and of 1.
    assert chart.alt.startswith("A bowl, on a plane of two random directions: 0 in the middle, on average ")
    assert "at distance 0.5" in chart.alt
    assert "at distance 1." in chart.alt
    assert chart.table.columns == ["Direction 1 \\ 2", "−1.0", "−0.5", "0.0", "0.5", "1.0"]
    assert chart.table.rows[2] == ["0.0", "2.000", "0.500", "0.000", "0.500", "2.000"]
    assert chart.table.rows[0][3] == "1.000"


def test_it_can_be_drawn():
    assert "A bowl" in still(bowl())
