from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from overmix.report import page
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
