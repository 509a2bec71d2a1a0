"""The parts that explanations are made of: shapes of curves, charts, tables, pages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from overmix.errors import RunDirectoryError
from overmix.report.charts.axis import Axis
from overmix.report.charts.line_chart import Mark, line_chart
from overmix.report.charts.series import DASHED, Series
from overmix.report.explain import Explanation, explain_dynamics, still, write_explanation
from overmix.report.explain.arrays import explain_arrays
from overmix.report.explain.dynamics import controls_in_words
from overmix.report.explain.estimate import over_seeds
from overmix.report.explain.floor import explain_floor
from overmix.report.explain.heat_map import heat_map, similar_order
from overmix.report.explain.turning import turn_of
from overmix.report.explain.writing import render_explanation
from overmix.report.look import LIGHT
from overmix.report.table import Table

ODD = "</script><b>&\"'`{{ 7*7 }}"


def lines(**changes: Any) -> Any:
    x = np.array([0.0, 1.0, 10.0, 100.0])
    series = [
        Series("ERM", x, np.array([4.0, 3.0, 2.0, 2.0]), dash=DASHED),
        Series(ODD, x, np.array([4.0, np.nan, 0.0, 1.5]), np.full(4, 0.5), np.full(4, 5.0)),
    ]
    arguments = {"x_axis": Axis("step", log=True), "y_axis": Axis("risk"), "marks": [Mark(10.0, "here")]} | changes
    return line_chart("name", "Title", "caption", "note", series, **arguments)


def test_line_charts_are_valid_and_hold_their_numbers():
    chart = lines(points=True, subtitle="three seeds")
    rows = [row for row in chart.spec["datasets"]["curves"] if row["condition"] == "ERM"]
    assert [(row["epoch"], row["mean"]) for row in rows] == [(1.0, 3.0), (10.0, 2.0), (100.0, 2.0)]  # log: no zero
    odd = [row["mean"] for row in chart.spec["datasets"]["curves"] if row["condition"] == ODD]
    assert odd == [0.0, 1.5]  # the point without a value is left out
    svg = still(chart)
    assert "NaN" not in svg
    assert ">here<" in svg
    assert chart.table.columns == ["Step", "ERM", ODD]
    assert chart.table.rows[1] == ["1", "3", "–"]
    assert "ERM: lowest 2 at step 10, at the end 2." in chart.alt
    assert [row["says"] for row in chart.spec["datasets"]["hover"]][:2] == [
        {"step": "1", "ERM": "3"},
        {"step": "10", "ERM": "2", ODD: "0 (0.5 to 5)"},
    ]


def test_logarithmic_values_leave_zero_out():
    chart = lines(y_axis=Axis("risk", log=True))
    assert [row["mean"] for row in chart.spec["datasets"]["curves"] if row["condition"] == ODD] == [1.5]
    assert "NaN" not in still(chart)


def test_a_reference_is_neutral_and_a_chart_without_one_skips_that_colour():
    grey, first = LIGHT.series[:2]
    assert f'stroke="{grey}"' in still(lines())
    x = np.arange(1.0, 4.0)
    plain = line_chart("n", "T", "c", "n", [Series("a", x, x)], x_axis=Axis("x"), y_axis=Axis("y"))
    assert f'stroke="{first}"' in still(plain)
    assert f'stroke="{grey}"' not in still(plain)


def heat(values: np.ndarray, names: list[str], **options: Any) -> Any:
    says = [["said"] * len(names)] * len(names)
    return heat_map("h", "Noise", "c", "n", names, values, says, measure="Noise", subtitle="data", **options)


def test_heat_maps_write_each_share_where_it_can_be_read():
    values = np.array([[0.0, 0.9, np.nan], [0.9, 0.1, 0.3], [np.nan, 0.3, 0.2]])
    chart = heat(values, ["same", "same", ODD], notes=[["", "→ x", ""], ["→ x", "", ""], ["", "", ""]])
    rows = chart.spec["data"]["values"]
    assert len(rows) == 7  # cells without mixtures stay empty
    svg = still(chart)
    assert len(re.findall(r">90</text>", svg)) == 2
    assert re.findall(r'<text[^>]*fill="([^"]*)"[^>]*>90</text>', svg) == [LIGHT.paper] * 2  # on the deepest colour
    assert set(re.findall(r'<text[^>]*fill="([^"]*)"[^>]*>30</text>', svg)) == {LIGHT.ink}
    assert svg.count("→ x") == 2
    assert len({row["row"] for row in rows}) == 3  # two classes of one name stay two
    assert chart.table.rows[0][1:] == ["0.0\u00a0%", "90.0\u00a0%", "–"]
    assert "from 30.0\u00a0% for same with" in chart.alt


def test_many_classes_are_drawn_without_numbers():
    rng = np.random.default_rng(0)
    chart = heat(rng.random((40, 40)), [str(c) for c in range(40)])
    assert len(chart.spec["layer"]) == 1
    still(chart)


def test_similar_classes_stand_side_by_side():
    likeness = np.array([[0, 9, 1, 9], [9, 0, 9, 1], [1, 9, 0, 9], [9, 1, 9, 0]], dtype=float)
    order = similar_order(likeness)
    assert {order.index(0) - order.index(2), order.index(1) - order.index(3)} <= {-1, 1}
    assert similar_order(np.array([[0.0, np.nan], [np.nan, 0.0]])) == [0, 1]


def test_means_over_seeds_carry_interval_and_count():
    mean = over_seeds(np.array([1.0, 2.0, 3.0]))
    half = 4.302652729749464 / np.sqrt(3)
    assert mean == {"mean": 2.0, "ci": pytest.approx([2 - half, 2 + half]), "n": 3}
    assert over_seeds(np.array([2.0])) == {"mean": 2.0, "ci": None, "n": 1}


def test_noise_alone_is_no_turn():
    """Flat curves with independent noise: their own minima lie far below their ends, the cross-fitted rise does not."""
    rng = np.random.default_rng(0)
    steps = np.arange(50.0)
    shapes = []
    for _ in range(200):
        rows = 1 + 0.1 * rng.normal(size=(8, 50))
        assert (rows[:, -1] - rows.min(axis=1)).mean() > 0.1
        shapes.append(turn_of(steps, rows).verdict)
    assert shapes.count("u-shaped") <= 6


def test_shapes_of_curves():
    steps = np.arange(1.0, 6.0)
    seeds = np.array([[-0.01], [0.0], [0.01]])
    up = turn_of(steps, np.array([3.0, 2.0, 1.0, 1.5, 2.0]) + seeds)
    assert (up.verdict, up.step, up.rise["mean"]) == ("u-shaped", 3.0, pytest.approx(1.0))
    assert turn_of(steps, np.array([5.0, 4.0, 3.0, 2.0, 1.0]) + seeds).verdict == "monotone"
    assert turn_of(steps, np.array([[3.0, 2.0, 1.0, 1.5, 2.0]])).verdict == "undecided"  # one seed decides nothing


def test_words_follow_the_verdicts():
    steps = np.arange(1.0, 4.0)
    seeds = np.array([[-0.01], [0.0], [0.01]])
    turning, falling = (turn_of(steps, np.array(c) + seeds) for c in ([3.0, 1.0, 2.0], [3.0, 2.0, 1.0]))
    same = {"erm": falling, "mixup": turning, "mixup_true_labels": falling, "fresh": falling}
    found = controls_in_words({"generic": same, "realizable": same})
    assert "the rise needs the noisy labels" in found[0]
    assert "here the labels alone make the U" in found[1]
    other = same | {"mixup_true_labels": turning}
    found = controls_in_words({"generic": other, "realizable": other})
    assert "The U alone does not prove label noise" in found[0]
    assert "this setting does not isolate label noise" in found[1]


def explanation(**changes: Any) -> Explanation:
    made = Explanation(
        name=ODD,
        sentence=f"Why {ODD}?",
        findings=[ODD],
        summary={"text": ODD, "value": 1.5, "versions": {"overmix": ODD}},
        charts=[lines(), heat(np.array([[0.1, 0.2], [0.2, 0.1]]), [ODD, "b"])],
        tables=[Table(ODD, [ODD, "b"], [[ODD, "1"]])],
        method=[(ODD, ODD)],
    )
    return replace(made, **changes)


def test_pages_are_escaped_and_fetch_nothing(tmp_path):
    made = explanation()
    html = render_explanation(made, {"name": "<svg></svg>"})
    assert ODD not in html
    assert "<b>&" not in html
    assert "49" not in re.findall(r"<h1[^>]*>(.*?)</h1>", html)[0]
    data = re.search(r'id="report-data">(.*?)</script>', html, re.DOTALL)[1]
    assert json.loads(data)["charts"].keys() == {"name", "h"}
    assert "default-src &#39;none&#39;" in html
    elements = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', elements)


def test_files_of_an_explanation(tmp_path):
    files = write_explanation(explanation(), tmp_path / "new" / "folder")
    assert json.loads(files.summary.read_text())["text"] == ODD
    assert [path.name for path in files.figures] == ["name.png", "name.svg", "h.png", "h.svg"]
    assert all(path.stat().st_size > 500 for path in files.figures)
    # On the page lines have the page's colours, light or dark; a heat map and the files keep those of the light theme.
    curves, heat = re.findall(r"<noscript>(.*?)</noscript>", files.page.read_text(), re.DOTALL)
    assert ("var(--series-1)" in curves, re.findall('"#[0-9a-f]{6}"', curves)) == (True, [])
    assert ("var(--" in heat, LIGHT.ink in heat) == (False, True)
    assert LIGHT.series[1] in files.figures[1].read_text()
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match="choose another folder"):
        write_explanation(explanation(charts=[]), tmp_path / "file")


def test_the_floor_explanation_draws_its_own_floor():
    found = explain_floor(classes=10, alpha=1.0)
    (chart,) = found.charts
    rows = [row for row in chart.spec["datasets"]["curves"] if row["condition"] == "floor"]
    at_one = min(rows, key=lambda row: abs(np.log(row["epoch"])))
    assert at_one["mean"] == pytest.approx(0.45, abs=0.01)
    assert "alpha = 1: 0.45" in still(chart)


@pytest.mark.slow
def test_the_toy_says_what_its_controls_show():
    found = explain_dynamics(seeds=range(12))
    text = " ".join(found.findings)
    assert "The U alone does not prove label noise." in text
    assert "so here the labels alone make the U" in text
    assert found.summary["conditions"]["generic"]["mixup"]["verdict"] == "u-shaped"
    assert found.summary["conditions"]["generic"]["fresh"]["verdict"] != "u-shaped"
    assert found.summary["switch"]["gain_over_mixup"]["ci"][0] > 0


@pytest.mark.parametrize(("targets", "turns"), [([0.9, 1.0, 1.1], True), ([2.9, 3.0, 3.1], False)])
def test_a_single_sample_may_turn_too(targets, turns):
    """One mode, from 0 to 2: the risk is lowest where it passes the mean of the test targets."""
    problem = {"features": np.array([[1.0]]), "targets": np.array([2.0]), "test_features": np.ones((3, 1))}
    found = explain_arrays(problem | {"test_targets": np.array(targets)}, eta=0.1, steps=1000, name="one sample")
    (said,) = [finding for finding in found.findings if "single sample" in finding]
    assert ("still turns, at step" in said) == turns
    assert (found.summary["best"]["risk"] < 0.5 * found.summary["final_risk"]) == turns
