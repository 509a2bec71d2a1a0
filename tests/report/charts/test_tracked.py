"""Charts of what was tracked, and what is said about the truth that they rest on."""

import re

import polars as pl

from overmix.report import page
from overmix.report.charts import tracked_charts, truth_words
from overmix.report.shown import report_of

NAMES = ["gradient-norm-mixed", "gradient-norm-clean", "noise-memorized", "noise-resisted", "mixtures-learnt"]


def test_nothing_tracked_is_nothing_shown(make_result):
    report = report_of(make_result(seeds=2, epochs=10))
    assert tracked_charts(report) == []
    assert truth_words(report) == ""
    assert 'id="tracked"' not in page.render(report, page.sections(report), {})


def test_each_track_has_its_charts_with_one_sentence(make_tracked):
    charts = tracked_charts(report_of(make_tracked()))
    assert [chart.name for chart in charts] == NAMES
    for chart in charts:
        assert len(re.findall(r"[.](?: |$)", chart.caption)) == 1, chart.caption
        assert {row["condition"] for row in chart.spec["datasets"]["curves"]} == {"Mixup", "Mixup → ERM @128"}
    memorized = charts[2].spec["datasets"]["curves"]
    assert {row["mean"] for row in memorized if row["epoch"] == 100} == {46.052}


def test_a_study_of_one_track_shows_that_one(make_tracked):
    result = make_tracked()
    report = report_of(result.but(curves=result.curves.drop("gradient_norm_mixed", "gradient_norm_clean")))
    assert [chart.name for chart in tracked_charts(report)] == NAMES[2:]
    norms = report_of(result.but(curves=result.curves.drop(pl.selectors.contains("nois", "mixtures", "truth"))))
    assert [chart.name for chart in tracked_charts(norms)] == NAMES[:2]
    assert truth_words(norms) == ""


def test_the_page_says_whose_truth_it_is_and_how_good(make_tracked):
    report = report_of(make_tracked())
    html = page.render(report, page.sections(report), {})
    section = html[html.index('<section id="tracked"') : html.index('<section id="method"')]
    assert "21.0\u00a0% have a noisy label" in section
    assert "our choice of a truth" in section
    assert "4.3\u00a0% of the test samples wrongly" in section
