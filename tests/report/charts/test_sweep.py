from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

from overmix.report.charts import sweep_chart
from overmix.report.charts.layers import ONLY_SHOWN
from overmix.report.figures import light, strokes_of, to_svg
from overmix.report.shown import Report, report_of
from overmix.study.analyse.record import Estimate, PolicyChoice, SwitchSearch

Make = Callable[..., Any]


def swept(make_result: Make, switches: int = 4) -> Report:
    """A report whose switched condition stands at several epochs, beside one that decided by itself."""
    report = report_of(make_result(seeds=3))
    erm, mixup, switched = report.conditions
    at = [
        replace(switched, name=f"off @{epoch}", switch_epoch=float(epoch), final=Estimate(0.06 + k / 1000, 0.05, 0.07))
        for k, epoch in enumerate((16, 64, 128, 512)[:switches])
    ]
    auto = replace(switched, name="auto", role="other", switch_epoch=None, decided=(64, 128, 128))
    return replace(report, summary=replace(report.summary, conditions=(erm, mixup, *at, auto)))


def searched(make_result: Make, *choices: PolicyChoice) -> Report:
    report = swept(make_result)
    search = SwitchSearch(128, 0.062, (0, 1, 2), choices)
    return replace(report, summary=replace(report.summary, search=search))


PATIENCE = PolicyChoice("patience", (64, 32, 512), 0.064, Estimate(0.002, -0.001, 0.005), 1.2)
AUTO = PolicyChoice("auto", (64, 128, 128), 0.063, Estimate(0.001), 1.3, trained=True)


def test_every_switch_is_a_point_and_levels_are_lines(make_result: Make) -> None:
    chart = sweep_chart(swept(make_result))
    assert chart is not None
    points = chart.spec["data"]["values"]
    assert [row["epoch"] for row in points] == [16, 64, 128, 512]
    assert [round(row["error"], 1) for row in points] == [6.0, 6.1, 6.2, 6.3]
    levels = [row["condition"] for row in chart.spec["layer"][3]["data"]["values"]]
    assert levels == ["ERM", "Mixup"]
    assert [row[0] for row in chart.table.rows] == ["ERM", "Mixup", "off @16", "off @64", "off @128", "off @512"]


def test_every_policy_has_a_row_with_its_range_its_median_and_its_name(make_result: Make) -> None:
    ends = [
        PolicyChoice(name, (at, at, at), 0.07, Estimate(), 1.0)
        for name, at in (("no Mixup", 0), ("Mixup to the end", 9))
    ]
    chart = sweep_chart(searched(make_result, *ends, PATIENCE, AUTO))
    assert chart is not None
    bars, ticks, names = chart.spec["layer"][5::3], chart.spec["layer"][6::3], chart.spec["layer"][7::3]
    assert [(bar["data"]["values"][0]["lo"], bar["data"]["values"][0]["hi"]) for bar in bars] == [
        (128, 128), (32, 512), (64, 128),
    ]  # fmt: skip
    assert [tick["data"]["values"][0]["at"] for tick in ticks] == [128, 64, 128]
    assert [name["data"]["values"][0]["text"] for name in names] == [
        "best switch of the grid: 128", "patience: 64 (32–512)", "auto: 128 (64–128)",
    ]  # fmt: skip
    # What was trained has its condition's colour, and goes with it when the reader hides that.
    assert ["color" in tick["encoding"] for tick in ticks] == [False, False, True]
    assert ONLY_SHOWN in ticks[2]["transform"]
    assert ONLY_SHOWN not in ticks[1]["transform"]


def test_without_a_run_of_mixup_own_decisions_are_rows_all_the_same(make_result: Make) -> None:
    chart = sweep_chart(swept(make_result))
    assert chart is not None
    assert [layer["data"]["values"][0].get("text") for layer in chart.spec["layer"][7:]] == ["auto: 128 (64–128)"]


def test_rows_lie_below_the_curve_and_apart_from_each_other(make_result: Make) -> None:
    chart = sweep_chart(searched(make_result, PATIENCE, AUTO))
    assert chart is not None
    svg = ElementTree.fromstring(to_svg(light(chart, strokes_of(searched(make_result, PATIENCE, AUTO)))))
    whiskers = [_ends(path) for path in svg.iter() if path.get("stroke-opacity") == "0.35"]
    rows = [_ends(path) for path in svg.iter() if path.get("stroke-width") == "2.5"]
    assert (len(whiskers), len(rows)) == (4, 3)
    assert max(bottom for _, bottom in whiskers) < min(top for top, _ in rows)
    assert all(above[1] < below[0] for above, below in pairwise(sorted(rows)))


def _ends(line: ElementTree.Element) -> tuple[float, float]:
    """Return the upper and the lower end of a vertical line."""
    start = float(re.findall(r"[-\d.]+", line.get("transform", ""))[1])
    return tuple(sorted((start, start + float(line.get("y2", "0")))))  # type: ignore[return-value]


def test_a_policy_that_switches_at_once_is_on_the_axis_to_the_left(make_result: Make) -> None:
    at_once = replace(PATIENCE, switch_at=(0, 0, 32))
    report = searched(make_result, at_once)
    chart = sweep_chart(report)
    assert chart is not None
    assert chart.spec["encoding"]["x"]["scale"]["domain"][0] == 0.8 * 16
    assert chart.spec["layer"][8]["data"]["values"][0]["lo"] == 1e-9  # beyond the frame, where it is clipped
    assert "patience: 0 (0–32)" in to_svg(light(chart, strokes_of(report)))


def test_it_can_be_drawn(make_result: Make) -> None:
    report = swept(make_result)
    chart = sweep_chart(report)
    assert chart is not None
    assert "switch epoch" in to_svg(light(chart, strokes_of(report)))


def test_two_switches_are_no_curve(make_result: Make) -> None:
    assert sweep_chart(swept(make_result, switches=2)) is None
