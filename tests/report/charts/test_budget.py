"""Final error against budget."""

import copy

import vl_convert

from overmix.report import page
from overmix.report.charts import budget_chart
from overmix.report.shown import report_of


def with_budgets(result, epochs, families):
    summary = copy.deepcopy(result.document)
    for row, budget, family in zip(summary["conditions"], epochs, families, strict=True):
        row |= {"epochs": budget, "family": family}
    return report_of(result.but(document=summary))


def test_one_budget_is_no_comparison(make_result):
    result = make_result(seeds=2, epochs=10)
    assert budget_chart(report_of(result)) is None
    assert budget_chart(with_budgets(result, [10, 10, 20], ["a", "a", "b"])) is None


def test_conditions_that_differ_in_length_alone_are_joined(make_result):
    report = with_budgets(make_result(seeds=2, epochs=100), [50, 200, 100], ["a", "b", "a"])
    chart = budget_chart(report)
    assert chart is not None
    rows = chart.spec["data"]["values"]
    assert [(row["condition"], row["epochs"], row["family"]) for row in rows] == [
        ("ERM", 50, 0),
        ("Mixup → ERM @128", 100, 0),
    ]
    assert [row["error"] for row in rows] == [100 * report.conditions[i].final.value for i in (0, 2)]
    assert all(row["lo"] <= row["error"] <= row["hi"] for row in rows)
    assert [row[:2] for row in chart.table.rows] == [["ERM", "50"], ["Mixup → ERM @128", "100"]]
    assert "epochs in all" in vl_convert.vegalite_to_svg(chart.spec)
    assert 'id="budget"' in page.render(report, page.sections(report), {})


def test_both_rules_of_reporting_stand_side_by_side(make_result):
    result = make_result(seeds=2, epochs=100)
    assert "our recollection of the paper" not in page.render(report_of(result), page.sections(report_of(result)), {})
    summary = copy.deepcopy(result.document)
    rule = {"epochs": [90, 100], "loss": 0.4567, "error": 0.0912, "error_ci": [0.08, 0.1]}
    summary["conditions"][1]["lowest_loss"] = rule
    report = report_of(result.but(document=summary))
    html = page.render(report, page.sections(report), {})
    table = html[html.index("Two rules of reporting") :]
    table = table[: table.index("</table>")]
    assert table.count("<tr>") == 2
    for cell in ("Mixup", "0.457", "95", "9.1"):
        assert cell in table
