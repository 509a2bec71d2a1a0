from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from overmix.report import page, tables
from overmix.report.charts import error_chart
from overmix.report.shown import report_of

Make = Callable[..., Any]


def test_panel_puts_conditions_on_one_scale(make_result: Make) -> None:
    result = make_result(seeds=16)
    panel = tables.panel(report_of(result))
    finals = [row["final_error"] for row in result.document["conditions"]]
    places = [r.at for r in panel.readings]
    for i in range(2):
        slope = (places[i + 1] - places[i]) / (finals[i + 1] - finals[i])
        assert slope == pytest.approx((places[2] - places[0]) / (finals[2] - finals[0]), rel=1e-3)
    assert all(0 <= r.lo <= r.at <= r.hi <= 100 for r in panel.readings)
    assert [r.recommended for r in panel.readings] == [False, False, True]


def test_panel_of_a_diverged_condition_has_dashes(odd_result: Any) -> None:
    report = report_of(odd_result)
    for reading in tables.panel(report).readings:
        assert (reading.at is None) == (reading.condition.final.value is None)


def test_seed_table_holds_final_and_lowest(make_result: Make) -> None:
    result = make_result(seeds=3, epochs=50)
    table = tables.seed_table(report_of(result))
    assert [row[0] for row in table.rows] == ["0", "1", "2"]
    mine = result.curves.filter((result.curves["condition"] == "Mixup") & (result.curves["seed"] == 1)).sort("epoch")
    final, low = 100 * mine["test_error"][-1], 100 * mine["test_error"].min()
    epoch = mine["epoch"][mine["test_error"].arg_min()]
    assert table.rows[1][2] == f"{final:.1f}\u00a0% ({low:.1f}\u00a0% at {epoch})"


def test_seed_table_names_diverged_replicas(make_result: Make, odd_result: Any) -> None:
    report = report_of(odd_result)
    cells = [cell for row in tables.seed_table(report).rows for cell in row]
    assert cells.count("diverged") == len(report.diverged)


def test_longer_training_is_told_from_erm(make_result: Make) -> None:
    result = make_result(seeds=2, epochs=20)
    result.document["conditions"][1]["steps"] = 90
    steps = [row[-2] for row in tables.price_table(report_of(result)).rows]
    assert steps == ["60", "90 (1.50 × ERM)", "60"]


def test_time_is_left_out_where_unknown(make_result: Make) -> None:
    result = make_result(seeds=2, epochs=20)
    for row in result.document["conditions"]:
        del row["seconds"]
    table = tables.price_table(report_of(result))
    assert table.columns[-1] == "Steps"
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_comparisons_keep_the_sign(make_result: Make) -> None:
    result = make_result(seeds=16)
    a, b, difference, *_ = tables.comparison_table(report_of(result)).rows[0]
    finals = {row["name"]: row["final_error"] for row in result.document["conditions"]}
    assert difference == f"{100 * (finals[a] - finals[b]):.2f}".replace("-", "\u2212")


@pytest.mark.parametrize(("lo", "said"), [(0.002, True), (-0.001, False)])
def test_a_checkpoint_that_is_better_beyond_chance_is_named(make_result: Make, lo: float, said: bool) -> None:
    result = make_result(seeds=3)
    found = {"epochs": [90, 120, 200], "error": 0.06, "gain": 0.012, "gain_ci": [lo, 0.022]}
    result.document["conditions"][1]["best_checkpoint"] = found
    note = tables.panel(report_of(result)).readings[1].note
    assert (note == "the checkpoint with the best validation score is 1.2 points better (median epoch 120)") == said


def test_the_panel_says_where_a_condition_switched_by_itself(make_result: Make) -> None:
    result = make_result(seeds=3)
    result.document["conditions"][2]["decided"] = [250, 125, 250]
    notes = [r.note for r in tables.panel(report_of(result)).readings]
    assert notes == ["", "", "switched by itself at epoch 125–250, median 250"]
    result.document["conditions"][2] |= {"decided": [250, 250], "epochs": 250}
    assert tables.panel(report_of(result)).readings[2].note == "went on mixing to the end, by its own decision"


def test_errors_that_are_no_rates_are_plain_numbers_everywhere(make_result: Make) -> None:
    result = make_result(seeds=5, epochs=50)
    of_classes = [name for name in result.curves.columns if name.endswith(("_cross_entropy", "_brier", "_ece"))]
    result = result.but(
        document=result.document | {"labels": "values", "unit": "value"}, curves=result.curves.drop(of_classes)
    )
    report = report_of(result)
    panel, final = tables.panel(report), result.document["conditions"][0]["final_error"]
    assert panel.readings[0].final == f"{final:.{report.error.digits}f}"
    assert tables.price_table(report).columns[:3] == ["Condition", "Test error (mean squared)", "Steps"]
    assert tables.comparison_table(report).columns[2] == "a − b"
    assert tables.shape_table(report).caption.startswith("Depth and practical size;")
    chart = error_chart(report)
    assert chart is not None
    assert chart.spec["title"]["text"] == "Test error (mean squared)"
    lines = chart.spec["datasets"]["curves"]
    mixed = result.curves.filter((result.curves["condition"] == "Mixup") & (result.curves["epoch"] == 50))
    (last,) = (row["mean"] for row in lines if row["condition"] == "Mixup" and row["epoch"] == 50)
    assert last == pytest.approx(float(mixed["test_error"].to_numpy().mean()), rel=1e-3)
    html = page.render(report, page.sections(report), {})
    shown = html[html.index("<main>") : html.index("<script", html.index("<main>"))]
    written = re.sub(r"<[^>]*>", " ", re.sub(r"<svg.*?</svg>", "", shown, flags=re.DOTALL))
    assert "%" not in written.replace("95 %", "").replace("5 % of the lowest error", "")
    assert "points" not in written
