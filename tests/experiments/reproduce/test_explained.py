"""An experiment's result as a page: its claims, numbers and charts are there, and nothing in it is taken for HTML."""

import html
import json
from pathlib import Path

import numpy as np
import pytest

from overmix.experiments.reproduce.chart import picture_chart
from overmix.experiments.reproduce.check import Check, judge_claims
from overmix.experiments.reproduce.explained import explained
from overmix.experiments.reproduce.finding import Finding, Picture
from overmix.report.explain import still
from overmix.report.explain.writing import render_explanation
from overmix.report.look import LIGHT

RESULTS = sorted((Path(__file__).parents[3] / "results" / "reproduce").glob("*.json"))
ODD = "</script><b>&\"'`{{ 7*7 }}"


def result_of(finding, name="gradient-norm", key="digits-mlp", **changes):
    versions = {"overmix": "1", "torch": "2", "cpu": "none"}
    setting = {"key": key, "n_lost": 0, "digest": "0" * 16, "versions": versions, **finding.to_dict()}
    result = {"name": name, "title": "Does it?", "scale": "laptop", "settings": [setting], "missing": []}
    return result | {"verdicts": judge_claims([setting])} | changes


def finding(text="depth", series=None):
    x = [1.0, 10.0]
    line = {"x": x, "mean": [1.0, 0.5], "lo": [-1.0, 0.4], "hi": [3.0, 0.6]}
    picture = Picture("norm", text, "epoch", {text: line} if series is None else series)
    check = Check(text, 0.5, (0.4, 0.6), "above", 0.1, n=8)
    return Finding(text, 8, {"gradient-rises": [check]}, [{"name": text, "rise": -0.5}], [picture])


def page_of(result):
    return render_explanation(explained(result), {})


def test_the_page_has_claim_verdict_numbers_and_where_from():
    text = html.unescape(page_of(result_of(finding())))
    assert "Does it? 1 verdict: 1 confirmed." in text
    assert "Confirmed (digits-mlp): After the turn the gradient norm of Mixup even rises. (our recollection)" in text
    assert "digits-mlp, n = 8: confirmed. Judged by: end over turn above 1." in text
    assert "<td>0.500</td><td>0.400 to 0.600</td><td>above 0.100</td><td>yes</td>" in text
    assert "<td>−0.5</td>" in text
    assert "digest 000000000000; overmix 1, torch 2, none." in text
    assert "overmix reproduce gradient-norm --scale laptop" in text
    assert "Smoke" not in text


def test_smoke_and_gaps_are_said():
    gap = {"key": "digits-convnet", "reason": "not asked for"}
    text = page_of(result_of(finding(), scale="smoke", missing=[gap]))
    assert "Smoke scale: everything is small, and the verdicts mean nothing." in text
    assert "<dt>digits-convnet</dt><dd>Not measured: not asked for.</dd>" in text


def test_whatever_a_result_holds_is_escaped():
    gap = {"key": ODD, "reason": ODD}
    page = page_of(result_of(finding(ODD), title=ODD, missing=[gap]))
    assert ODD not in page
    assert "<b>" not in page
    assert "49" not in page.split("<script")[0]
    assert html.unescape(page).count(ODD) >= 6


def test_only_studies_have_pages_of_their_own():
    assert list(explained(result_of(finding())).pages) == []
    study = json.loads(next(path for path in RESULTS if path.stem == "mse").read_text(encoding="utf-8"))
    assert [address for _, address in explained(study).pages] == [
        "digits-mlp/report.html",
        "digits-convnet/report.html",
    ]
    assert 'href="digits-convnet/report.html"' in page_of(study)


@pytest.mark.slow
@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_committed_results_can_be_shown(path):
    result = json.loads(path.read_text(encoding="utf-8"))
    found = explained(result)
    names = [chart.name for chart in found.charts]
    assert len(set(names)) == len(names)
    drawn = {f"{setting['key']}-{p['name']}" for setting in result["settings"] for p in setting["pictures"]}
    assert drawn <= set(names)
    assert names
    for chart in found.charts:
        assert "NaN" not in still(chart)


def test_lines_keep_to_their_own_epochs_and_erm_is_the_reference():
    series = {
        "Mixup": {"x": [1.0, 10.0, 100.0], "mean": [3.0, 1.0, 2.0]},
        "ERM": {"x": [10.0], "mean": [4.0]},
    }
    result = result_of(finding(series=series))
    chart = picture_chart("gradient-norm", result["settings"][0], result["settings"][0]["pictures"][0])
    rows = [(row["condition"], row["epoch"], row["mean"]) for row in chart.spec["datasets"]["curves"]]
    assert rows == [("ERM", 10.0, 4.0), ("Mixup", 1.0, 3.0), ("Mixup", 10.0, 1.0), ("Mixup", 100.0, 2.0)]
    assert chart.note == "Without an interval."
    assert LIGHT.series[0] in still(chart)


def test_a_logarithmic_axis_has_no_interval_below_zero():
    given = Picture("p", "t", "epoch", {"a": {"x": [1.0, 2.0], "mean": [1.0, 0.0], "lo": [-1.0, -1.0], "hi": [2, 1]}},
                    log_y=True)  # fmt: skip
    chart = picture_chart("mse", {"key": "k", "n": 2}, given.to_dict())
    assert [(row["mean"], row["lo"]) for row in chart.spec["datasets"]["curves"]] == [(1.0, 0.1)]


def test_a_level_is_marked():
    given = Picture("p", "t", "epoch", {"a": {"x": [1.0, 2.0], "mean": [1.0, 0.9]}}, reference=0.25)
    rows = picture_chart("mse", {"key": "k", "n": 1}, given.to_dict()).spec["datasets"]["curves"]
    assert [row["mean"] for row in rows if row["condition"] == "floor"] == [0.25, 0.25]
    assert np.isclose(max(row["mean"] for row in rows), 1.0)


def test_percent_has_one_digit_after_the_point_at_every_end():
    lines = {"a": {"x": [1.0, 2.0], "mean": [30.0, 20.98]}, "b": {"x": [1.0, 2.0], "mean": [30.0, 21.34]}}
    given = Picture("p", "Test error, %", "epoch", lines)
    ends = picture_chart("mse", {"key": "k", "n": 1}, given.to_dict()).spec["datasets"]["ends"]
    assert [row["text"] for row in ends] == ["a 21.0", "b 21.3"]
