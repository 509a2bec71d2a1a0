from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from overmix.report import page
from overmix.report.shown import report_of
from overmix.report.tuned import tuned_notes, tuned_table, tuned_words
from overmix.study.analyse.record import Tuned
from overmix.study.analyse.record_json import from_json, to_json

TUNED = (
    Tuned("ERM", 0.01, None, 6, 3, 0.08, decays=(0.0, 0.001, 0.01)),
    Tuned("Mixup", 0.0, 0.2, 6, 3, 0.075, decays=(0.0, 0.005), alphas=(0.2, 0.5, 1.0)),
    Tuned("inside", 0.001, 0.5, 9, 3, 0.07, decays=(0.0, 0.001, 0.01), alphas=(0.2, 0.5, 1.0)),
    Tuned("of two", 0.001, 0.2, 6, 3, 0.07, decays=(0.0, 0.001, 0.01), alphas=(0.2, 1.0)),
)


def test_the_page_and_the_record_say_what_was_chosen_from_how_many_trials(make_result: Callable[..., Any]) -> None:
    report = report_of(make_result(seeds=2))
    assert tuned_table(report) is None
    assert "tuned" not in to_json(report.summary)
    tuned = replace(report, summary=replace(report.summary, tuned=TUNED))
    assert from_json(to_json(tuned.summary)).tuned == TUNED
    table = tuned_table(tuned)
    assert table is not None
    assert [list(row) for row in table.rows] == [
        ["ERM", "–", "0.01", "8.0\xa0%", "6 × 3 seeds"],
        ["Mixup", "0.2", "0", "7.5\xa0%", "6 × 3 seeds"],
        ["inside", "0.5", "0.001", "7.0\xa0%", "9 × 3 seeds"],
        ["of two", "0.2", "0.001", "7.0\xa0%", "6 × 3 seeds"],
    ]
    ends = tuned_notes(tuned)
    assert ends == [
        "ERM: the best weight decay is the largest of 3 tried; try larger ones, with train.optimizer.weight_decay in "
        "the study.",
        "Mixup: the best alpha is the smallest of 3 tried; try smaller ones, with the recipe's alpha.",
    ]
    shown = html.unescape(page.render(tuned, page.sections(tuned), {}))
    assert all(text in shown for text in ("Tuned alike", *ends))
    assert tuned_words(TUNED[0]).endswith(
        "largest of 3 tried; try larger ones, with train.optimizer.weight_decay in the study"
    )
