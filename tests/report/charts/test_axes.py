"""The same curves against steps and against accumulated learning rate."""

import copy

import numpy as np
import polars as pl
import pytest
import vl_convert

from overmix.report import page
from overmix.report.charts import axes_charts
from overmix.report.charts.lines import STEP, TRAVEL, other_axes, read_lines
from overmix.report.metrics import error_metric
from overmix.report.reading import read

NAMES = ["test-error-by-step", "test-error-by-learning-rate"]


def with_axes(result, steps_per_epoch, rates):
    """Give each condition its steps per epoch, and a learning rate that falls with the epoch to a power."""
    summary = copy.deepcopy(result.summary)
    step = pl.lit(0)
    for row, per_epoch, (rate, power) in zip(summary["conditions"], steps_per_epoch, rates, strict=True):
        epoch = result.curves.filter(pl.col("condition") == row["name"])["epoch"].unique().sort().to_numpy()
        row["accumulated_lr"] = (rate * per_epoch * epoch.astype(float) ** power).tolist()
        step = pl.when(pl.col("condition") == row["name"]).then(per_epoch * pl.col("epoch")).otherwise(step)
    return read(result.but(summary=summary, curves=result.curves.with_columns(step=step)))


@pytest.fixture
def result(make_result):
    return make_result(seeds=2, epochs=100)


def test_axes_that_differ_by_a_factor_alone_are_left_out(result):
    assert axes_charts(read(result)) == []
    same = with_axes(result, [3, 3, 3], [(0.1, 1)] * 3)
    assert other_axes(same) == []
    assert 'id="axes"' not in page.render(same, page.sections(same), {})
    assert other_axes(with_axes(result, [3, 6, 3], [(0.1, 1)] * 3)) == [STEP, TRAVEL]
    assert other_axes(with_axes(result, [3, 3, 3], [(0.1, 0.5)] * 3)) == [TRAVEL]
    assert other_axes(with_axes(result, [3, 6, 3], [(0.1, 1), (0.05, 1), (0.1, 1)])) == [STEP]


def test_curves_stand_where_they_were_after_their_epochs(result):
    report = with_axes(result, [3, 6, 3], [(0.1, 1), (0.01, 0.5), (0.1, 1)])
    by_epoch, by_step, by_rate = (read_lines(report, error_metric(1), *axis) for axis in ([], [STEP], [TRAVEL]))
    np.testing.assert_array_equal(by_step[1].epoch, 6 * by_epoch[1].epoch)
    np.testing.assert_allclose(by_rate[1].epoch, 0.06 * by_epoch[1].epoch ** 0.5, rtol=1e-4)
    for line, other in zip(by_epoch, by_rate, strict=True):
        np.testing.assert_array_equal(line.mean, other.mean)


def test_the_charts_are_drawn_and_say_what_against(result):
    report = with_axes(result, [3, 6, 3], [(0.001, 1), (0.001, 0.5), (0.001, 1)])
    charts = axes_charts(report)
    assert [chart.name for chart in charts] == NAMES
    html = page.render(report, page.sections(report), {})
    for chart, axis in zip(charts, (STEP, TRAVEL), strict=True):
        assert f'id="{chart.name}"' in html
        assert f"{axis.name} (log scale)" in vl_convert.vegalite_to_svg(chart.spec)
        assert f"against {axis.name}" in chart.alt
        header, *rows = chart.table
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


def test_a_study_without_these_numbers_has_no_such_charts(result):
    report = with_axes(result, [3, 6, 3], [(0.1, 1)] * 3)
    summary = copy.deepcopy(report.summary)
    for row in summary["conditions"]:
        del row["accumulated_lr"]
    bare = read(result.but(summary=summary, curves=report.curves))
    assert [chart.name for chart in axes_charts(bare)] == NAMES[:1]
