from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from overmix.report.charts import sweep_chart
from overmix.report.figures import light, to_svg
from overmix.report.reading import Estimate, Report, read

Make = Callable[..., Any]


def swept(make_result: Make, switches: int = 4) -> Report:
    """A report whose switched condition stands at several epochs, beside one that decided by itself."""
    report = read(make_result(seeds=3))
    erm, mixup, switched = report.conditions
    at = [
        replace(switched, name=f"off @{epoch}", switch_epoch=float(epoch), final=Estimate(0.06 + k / 1000, 0.05, 0.07))
        for k, epoch in enumerate((16, 64, 128, 512)[:switches])
    ]
    auto = replace(switched, name="auto", role="other", switch_epoch=None, decided=(64, 128, 128))
    return replace(report, conditions=(erm, mixup, *at, auto))


def test_every_switch_is_a_point_and_every_own_decision_a_tick(make_result: Make) -> None:
    chart = sweep_chart(swept(make_result))
    assert chart is not None
    points = chart.spec["data"]["values"]
    assert [row["epoch"] for row in points] == [16, 64, 128, 512]
    assert [round(row["error"], 1) for row in points] == [6.0, 6.1, 6.2, 6.3]
    assert [row["epoch"] for row in chart.spec["layer"][-1]["data"]["values"]] == [64, 128, 128]
    levels = [row["condition"] for row in chart.spec["layer"][3]["data"]["values"]]
    assert levels == ["ERM", "Mixup"]
    assert [row[0] for row in chart.table[1:]] == ["ERM", "Mixup", "off @16", "off @64", "off @128", "off @512"]


def test_it_can_be_drawn(make_result: Make) -> None:
    report = swept(make_result)
    chart = sweep_chart(report)
    assert chart is not None
    assert "switch epoch" in to_svg(light(chart, report))


def test_two_switches_are_no_curve(make_result: Make) -> None:
    assert sweep_chart(swept(make_result, switches=2)) is None
