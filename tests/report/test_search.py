from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from overmix.report import page
from overmix.report.charts import error_chart, sweep_chart
from overmix.report.search import search_table, search_words
from overmix.report.shown import Report, report_of
from overmix.study.analyse.record import Estimate, PolicyChoice, StepCount, SwitchSearch

Make = Callable[..., Any]

CHOICES = (
    PolicyChoice("no Mixup", (0, 0), 0.075, Estimate(0.0131, 0.009, 0.0172), 1.0),
    PolicyChoice("patience", (64, 128), 0.0644, Estimate(0.0025, -0.001, 0.006), 1.25),
    PolicyChoice("auto", (128, 128), 0.062, Estimate(0.0001), 1.31, trained=True),
    PolicyChoice("gone", (), None, Estimate(), None, trained=True),
)


def searched(make_result: Make, **summary: Any) -> Report:
    report = report_of(make_result(seeds=2))
    changes = {"search": SwitchSearch(128, 0.0619, (0, 1), CHOICES), "steps": StepCount(30_000, 36_000), **summary}
    return replace(report, summary=replace(report.summary, **changes))


def test_the_table_has_the_best_switch_and_every_policy(make_result: Make) -> None:
    table = search_table(searched(make_result))
    assert table is not None
    assert table.caption.endswith("2 seeds")
    assert [list(row) for row in table.rows] == [
        ["best switch of the grid", "128", "6.2\xa0%", "–", "–"],
        ["no Mixup", "0", "7.5\xa0%", "1.31 (0.90 to 1.72)", "1.00"],
        ["patience", "96 (64–128)", "6.4\xa0%", "0.25 (−0.10 to 0.60)", "1.25"],
        ["auto", "128", "6.2\xa0%", "0.01", "1.31"],
        ["gone", "–", "–", "–", "–"],
    ]


def test_the_words_say_what_was_trained_and_what_the_search_cost(make_result: Make) -> None:
    words = search_words(searched(make_result))
    assert "What auto and gone decided was trained." in words
    assert "30,000 optimizer steps, as many as 10.0 runs" in words  # 3,000 of a run of 1,000 epochs
    assert "separate runs would have taken 36,000, 20 % more" in words
    alone = search_words(searched(make_result, steps=StepCount(36_000, 36_000)))
    assert "no beginnings were shared" in alone


def test_a_study_that_held_nothing_out_says_so(make_result: Make) -> None:
    report = searched(make_result)
    assert "No samples were held out" not in search_words(report)
    bare = searched(make_result, search=SwitchSearch(128, 0.06, (0, 1), CHOICES[:1]))
    assert "No samples were held out" in search_words(bare)


def test_it_is_on_the_page_of_a_search_and_on_no_other(make_result: Make) -> None:
    found = {}
    for report in (searched(make_result), report_of(make_result(seeds=2))):
        found[report.search is None] = page.render(report, page.sections(report), {})
    assert "What policies choose" in found[False]
    assert "96 (64–128)" in found[False]
    assert "What policies choose" not in found[True]
    assert search_table(report_of(make_result(seeds=2))) is None


def test_what_the_summary_says_is_read(make_result: Make) -> None:
    result = make_result(seeds=2)
    row = {"policy": "patience", "trained": False, "switch_at": [64, 128], "error": 0.0644, "regret": 0.0025,
           "regret_ci": [-0.001, 0.006], "cost": 1.25}  # fmt: skip
    summary = {**result.document, "policies": {
        "oracle": {"switch_at": 128, "error": 0.0619}, "seeds": [0, 1], "rows": [row],
    }}  # fmt: skip
    assert report_of(result.but(document=summary)).search == SwitchSearch(128, 0.0619, (0, 1), CHOICES[1:2])


def test_a_search_of_many_shows_what_answers_it_and_folds_the_rest(make_result: Make) -> None:
    report = searched(make_result)
    erm, mixup, switched = report.conditions
    grid = [replace(switched, name=f"off @{epoch}", switch_epoch=float(epoch)) for epoch in (16, 64, 128, 512)]
    auto = replace(switched, name="auto", role="auto", switch_epoch=None, decided=(64, 128))
    advice = replace(report.advice, condition="off @64")
    few = replace(report, summary=replace(report.summary, conditions=(erm, mixup, *grid), advice=advice))
    many = replace(report, summary=replace(few.summary, conditions=(erm, mixup, *grid, auto)))
    assert few.first == few.conditions
    assert [c.name for c in many.first] == [
        "ERM",
        "Mixup",
        "off @64",
        "off @128",
        "auto",
    ]  # 128 is the best of the grid
    plain = replace(many, summary=replace(many.summary, search=None))
    assert plain.first == plain.conditions  # whoever names conditions wants to see them

    html = page.render(many, page.sections(many), {})
    above, below = html.split("<summary>2 more conditions</summary>")
    assert "off @64" in above
    assert "off @512" not in above[above.index("<body>") :]
    assert "off @512" in below[: below.index("</table>")]
    assert html.count('aria-pressed="true"') == 5
    assert html.count('aria-pressed="false"') == 2
    # Every switch stays a point of the picture that compares them.
    sweep = sweep_chart(many)
    assert sweep is not None
    assert [row["condition"] for row in sweep.spec["data"]["values"]] == ["off @16", "off @64", "off @128", "off @512"]


def test_curves_that_are_folded_have_neither_band_nor_words(make_result: Make) -> None:
    result = make_result(seeds=3)
    report = report_of(result)
    erm, mixup, switched = report.conditions
    others = [replace(mixup, name=f"other {n}", role="other") for n in range(5)]
    curves = [result.curves] + [
        result.curves.filter(result.curves["condition"] == "Mixup").with_columns(condition=pl.lit(c.name))
        for c in others
    ]
    report = report_of(result.but(curves=pl.concat(curves)))
    search = SwitchSearch(128, 0.06, (0, 1, 2), CHOICES[:1])
    report = replace(report, summary=replace(report.summary, conditions=(erm, mixup, switched, *others), search=search))
    chart = error_chart(report)
    assert chart is not None
    shown = next(param["value"] for param in chart.spec["params"] if param["name"] == "shown")
    assert shown == ["ERM", "Mixup", "Mixup → ERM @128"]
    band = chart.spec["layer"][0]
    assert band["mark"]["type"] == "area"
    assert band["transform"][0] == {"filter": {"field": "condition", "oneOf": shown}}
    assert "Band: 95 %" in chart.note
    assert {row["condition"] for row in chart.spec["datasets"]["curves"]} > set(shown)
    notes = [
        layer["data"]["values"][0].get("condition")
        for layer in chart.spec["layer"]
        if "text" in layer["encoding"] and "values" in layer.get("data", {})
    ]
    assert {name for name in notes if name} == {"Mixup", "Mixup → ERM @128"}  # it turns; it was switched
