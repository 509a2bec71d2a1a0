from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from overmix.report import page
from overmix.report.shown import report_of
from overmix.report.tuned import tuned_table
from overmix.study.analyse.record import Tuned
from overmix.study.analyse.record_json import from_json, to_json

TUNED = (Tuned("ERM", 0.001, None, 6, 3, 0.08), Tuned("Mixup", 0.0, 0.2, 6, 3, 0.075))


def test_the_page_and_the_record_say_what_was_chosen_from_how_many_trials(make_result: Callable[..., Any]) -> None:
    report = report_of(make_result(seeds=2))
    assert tuned_table(report) is None
    assert "tuned" not in to_json(report.summary)
    tuned = replace(report, summary=replace(report.summary, tuned=TUNED))
    assert from_json(to_json(tuned.summary)).tuned == TUNED
    table = tuned_table(tuned)
    assert table is not None
    assert [list(row) for row in table.rows] == [
        ["ERM", "–", "0.001", "8.0\xa0%", "6 × 3 seeds"],
        ["Mixup", "0.2", "0", "7.5\xa0%", "6 × 3 seeds"],
    ]
    assert "Tuned alike" in page.render(tuned, page.sections(tuned), {})
