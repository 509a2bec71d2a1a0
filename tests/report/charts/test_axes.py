"""The same curves against steps and against accumulated learning rate."""

import json
import re

import numpy as np
import pytest
import vl_convert

from overmix.report import page
from overmix.report.charts import axes_charts, charts_along
from overmix.report.charts.lines import STEP, TRAVEL, other_axes, read_lines
from overmix.report.metrics import error_metric
from overmix.report.shown import report_of

NAMES = ["test-error-by-step", "test-error-by-learning-rate"]


@pytest.fixture(name="with_axes")
def _with_axes(with_axes):
    return lambda *given: report_of(with_axes(*given))


@pytest.fixture
def result(make_result):
    return make_result(seeds=2, epochs=100)


def test_axes_that_differ_by_a_factor_alone_are_left_out(result, with_axes):
    assert axes_charts(report_of(result)) == []
    same = with_axes(result, [3, 3, 3], [(0.1, 1)] * 3)
    assert other_axes(same) == []
    html = page.render(same, page.sections(same), {})
    assert 'name="axis"' not in html
    assert "<legend>Epochs</legend>" in html
    assert other_axes(with_axes(result, [3, 6, 3], [(0.1, 1)] * 3)) == [STEP, TRAVEL]
    assert other_axes(with_axes(result, [3, 3, 3], [(0.1, 0.5)] * 3)) == [TRAVEL]
    assert other_axes(with_axes(result, [3, 6, 3], [(0.1, 1), (0.05, 1), (0.1, 1)])) == [STEP]


def test_curves_stand_where_they_were_after_their_epochs(result, with_axes):
    report = with_axes(result, [3, 6, 3], [(0.1, 1), (0.01, 0.5), (0.1, 1)])
    by_epoch, by_step, by_rate = (read_lines(report, error_metric([0.1]), *axis) for axis in ([], [STEP], [TRAVEL]))
    np.testing.assert_array_equal(by_step[1].x, 6 * by_epoch[1].x)
    np.testing.assert_allclose(by_rate[1].x, 0.06 * by_epoch[1].x ** 0.5, rtol=1e-4)
    for line, other in zip(by_epoch, by_rate, strict=True):
        np.testing.assert_array_equal(line.mean, other.mean)


def test_the_charts_are_drawn_and_say_what_against(result, with_axes):
    report = with_axes(result, [3, 6, 3], [(0.001, 1), (0.001, 0.5), (0.001, 1)])
    charts = axes_charts(report)
    assert [chart.name for chart in charts] == NAMES
    for chart, axis in zip(charts, (STEP, TRAVEL), strict=True):
        assert f"{axis.name} (log scale)" in vl_convert.vegalite_to_svg(chart.spec)
        assert f"against {axis.name}" in chart.alt
        header, rows = chart.table.columns, chart.table.rows
        assert header[0].lower() == axis.name
        assert len(rows) >= 5
        assert all(cell != "–" for cell in rows[-1])
        domain = chart.spec["usermeta"]["overmix"]["x"]["log"]["scale"]["domain"]
        places = [row["epoch"] for row in chart.spec["datasets"]["curves"]]
        assert domain[1] == max(places)
        begin, first = map(float, domain[0]["expr"].removeprefix("full ? ").split(" : "))
        assert begin == min(places)
        assert begin <= first <= domain[1] / 10
        ticks = chart.spec["usermeta"]["overmix"]["x"]["log"]["axis"]["values"]
        assert len([tick for tick in ticks if first <= tick <= domain[1]]) >= 3


def test_the_page_can_draw_every_curve_along_every_axis(result, with_axes):
    report = with_axes(result, [3, 6, 3], [(0.001, 1), (0.001, 0.5), (0.001, 1)])
    html = page.render(report, page.sections(report), {})
    assert re.findall(r'name="axis" value="([^"]+)"', html) == ["epoch", "step", "learning-rate"]
    assert "<legend>Scale</legend>" in html
    data = json.loads(html.split('id="report-data">')[1].split("</script>")[0])
    shown = re.findall(r'data-chart="([^"]+)"', html)
    assert shown == list(data["charts"])
    for axis in (STEP, TRAVEL):
        others = data["axes"][axis.key]
        assert list(others) == shown
        for name, other in others.items():
            assert other["file"] == f"{name}-by-{axis.key}"
            vl_convert.vegalite_to_vega(other["spec"])
            assert f"against {axis.name}" in other["spec"]["description"]
            by_epoch = data["charts"][name]["datasets"]["curves"]
            along = other["spec"]["datasets"]["curves"]
            assert [row["mean"] for row in along] == [row["mean"] for row in by_epoch]
            assert [row["epoch"] for row in along] != [row["epoch"] for row in by_epoch]
        assert data["axes"][axis.key]["test-error"]["spec"]["width"] == data["charts"]["test-error"]["width"]


def test_the_pointer_brings_up_the_conditions_that_were_looked_at_there(result, with_axes):
    report = with_axes(result, [3, 4, 3], [(0.1, 1)] * 3)
    rows = charts_along(report, STEP)["test-error"].spec["datasets"]["hover"]
    said = {row["epoch"]: list(row["says"]) for row in rows}
    assert said[3.0] == ["step", "ERM", "Mixup → ERM @128"]
    assert said[4.0] == ["step", "Mixup"]
    assert said[12.0] == ["step", "ERM", "Mixup", "Mixup → ERM @128"]
    assert not any("–" in row["says"].values() for row in rows)


def test_a_study_without_these_numbers_has_no_such_charts(result, with_axes):
    report = with_axes(result, [3, 6, 3], [(0.1, 1)] * 3)
    bare = report_of(result.but(curves=report.curves))
    assert [chart.name for chart in axes_charts(bare)] == NAMES[:1]
