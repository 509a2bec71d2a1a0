"""Charts are valid, hold the study's numbers, and never let a name become code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import vl_convert

from overmix.report.charts import Chart, error_chart
from overmix.report.figures import light, strokes_of, to_svg
from overmix.report.look import LIGHT
from overmix.report.page import sections
from overmix.report.shown import report_of

Make = Callable[..., Any]


def charts(result: Any) -> list[Chart]:
    return [chart for part in sections(report_of(result)) for chart in part.charts]


def nodes(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every (key, value) in a specification, data left out."""
    yield key, value
    if isinstance(value, dict):
        for k, v in value.items():
            if k not in ("datasets", "values"):
                yield from nodes(v, k)
    if isinstance(value, list):
        for v in value:
            yield from nodes(v, key)


def test_charts_can_be_drawn_and_vega_lite_has_nothing_to_warn_of(odd_result: Any, capfd: Any) -> None:
    report = report_of(odd_result)
    for chart in charts(odd_result):
        spec = light(chart, strokes_of(report))
        vega = vl_convert.vegalite_to_vega(json.dumps(spec), show_warnings=True)
        assert {scale["name"] for scale in vega["scales"]} >= {"x", "y", "color"}
        assert "NaN" not in vl_convert.vega_to_svg(vega)
    assert capfd.readouterr().err == ""


def test_a_warning_of_vega_lite_would_be_seen(make_result: Make, capfd: Any) -> None:
    spec = error_chart(report_of(make_result(seeds=1, epochs=3))).spec
    spec["encoding"]["x"]["scale"]["type"] = "logarithmic"
    vl_convert.vegalite_to_vega(json.dumps(spec), show_warnings=True)
    assert "logarithmic" in capfd.readouterr().err


def test_curves_are_the_means_in_percent(make_result: Make) -> None:
    result = make_result(seeds=4, epochs=100)
    rows = pl.DataFrame(error_chart(report_of(result)).spec["datasets"]["curves"])
    means = result.curves.group_by("condition", "epoch").agg(truth=100 * pl.col("test_error").mean())
    joined = rows.with_columns(pl.col("epoch").cast(pl.Int64)).join(means, on=["condition", "epoch"])
    assert joined.height == rows.height == means.height
    assert (joined["mean"] - joined["truth"]).abs().max() < 1e-3  # five significant digits of 68 %


def test_bands_surround_means(make_result: Make) -> None:
    for chart in charts(make_result(seeds=4)):
        for row in chart.spec["datasets"]["curves"]:
            assert row["lo"] <= row["mean"] <= row["hi"]


def test_specifications_name_no_colour(make_result: Make) -> None:
    for chart in charts(make_result(seeds=2)):
        assert not re.search(r"#[0-9a-fA-F]{6}", json.dumps(chart.spec))


def test_names_stay_data(odd_result: Any) -> None:
    names = [row["name"] for row in odd_result.document["conditions"]]
    for chart in charts(odd_result):
        for key, value in nodes(chart.spec):
            if key in ("expr", "filter", "calculate", "field", "test") and isinstance(value, str):
                assert not any(name in value for name in names if name != "ERM")


def test_order_of_drawing_shows_the_fork(make_result: Make) -> None:
    """The switched condition lies below its twin, so that the common path has the twin's colour."""
    rows = error_chart(report_of(make_result(seeds=2))).spec["datasets"]["curves"]
    order = list(dict.fromkeys(row["condition"] for row in rows))
    assert order == ["Mixup → ERM @128", "Mixup", "ERM"]
    shared = [row["epoch"] for row in rows if row.get("twin") == "Mixup"]
    assert 90 < max(shared) < 128


def test_turning_point_only_where_the_curve_turns(make_result: Make) -> None:
    result = make_result(seeds=5)
    assert "turns at epoch" in json.dumps(error_chart(report_of(result)).spec)
    for row in result.document["conditions"]:
        row["verdict"] = "monotone"
    assert "turns at epoch" not in json.dumps(error_chart(report_of(result)).spec)


def test_a_curve_that_is_lowest_at_its_end_does_not_turn(make_result: Make) -> None:
    result = make_result(seeds=5, epochs=100)
    for row in result.document["conditions"]:
        row["verdict"], row["turning_epoch"] = "undecided", 100
    chart = error_chart(report_of(result))
    assert "turns at epoch" not in json.dumps(chart.spec)
    assert "hollow" not in chart.caption


def test_notes_in_ink_are_written(make_result: Make) -> None:
    report = report_of(make_result(seeds=2))
    for name, note in (("test-error", "may be best: off at 64–256"), ("training-loss", "loss floor 0.45")):
        chart = next(chart for chart in charts(make_result(seeds=2)) if chart.name == name)
        written = re.findall(rf"<text[^>]*fill=\"([^\"]*)\"[^>]*>{note}<", to_svg(light(chart, strokes_of(report))))
        assert written == [LIGHT.ink] * 2  # the note, and its rim


def test_undecided_turning_point_is_hollow(make_result: Make) -> None:
    result = make_result(seeds=5)
    for row in result.document["conditions"]:
        row["verdict"] = "undecided"
    chart = error_chart(report_of(result))
    styles = [value for key, value in nodes(chart.spec) if key == "style"]
    assert "ring" in styles
    assert "hollow" in chart.caption


def test_switch_after_the_end_is_not_drawn(make_result: Make) -> None:
    chart = error_chart(report_of(make_result(seeds=2, epochs=50)))
    assert "switched off" not in json.dumps(chart.spec)
    assert "may be best" not in json.dumps(chart.spec)


def test_floor_is_drawn_once_for_all_that_share_it(make_result: Make) -> None:
    result = make_result(seeds=2)
    loss = next(chart for chart in charts(result) if chart.name == "training-loss")
    rules = [layer for layer in loss.spec["layer"] if layer["mark"].get("style") == "reference"]
    assert [rule["data"]["values"][0]["floor"] for rule in rules] == [0.45]
    bare = next(chart for chart in charts(result.with_floor(None)) if chart.name == "training-loss")
    assert "floor" not in json.dumps(bare.spec)


def test_floors_close_to_each_other_share_a_note(make_result: Make) -> None:
    floors = {"ERM": 0.4437, "Mixup": 0.4481, "Mixup → ERM @128": 0.3}
    loss = next(chart for chart in charts(make_result(seeds=2).with_floor(floors)) if chart.name == "training-loss")
    rules = [layer for layer in loss.spec["layer"] if layer["mark"].get("style") == "reference"]
    assert [rule["data"]["values"][0]["floor"] for rule in rules] == [0.3, 0.4437, 0.4481]
    notes = [
        layer["data"]["values"][0]["text"] for layer in loss.spec["layer"] if layer["mark"].get("style") == "plain"
    ]
    assert notes == ["loss floor 0.3", "loss floors 0.444–0.448"]


def test_words_of_a_chart(make_result: Make) -> None:
    chart = error_chart(report_of(make_result(seeds=16)))
    assert re.search(r"Mixup: lowest 6\.\d\u00a0% at epoch 1\d\d, at the end 9\.\d\u00a0%", chart.alt)
    header, rows = chart.table.columns, chart.table.rows
    assert header == ["Epoch", "ERM", "Mixup", "Mixup → ERM @128"]
    assert [rows[0][0], rows[-1][0]] == ["1", "1,000"]
    assert all(len(row) == 4 for row in rows)


def test_one_seed_says_so(make_result: Make) -> None:
    chart = error_chart(report_of(make_result(seeds=1)))
    assert "one seed" in chart.spec["title"]["subtitle"]
    assert not any(layer["mark"].get("style") == "band" for layer in chart.spec["layer"])


def test_a_study_without_a_finished_replica_has_no_chart(make_result: Make) -> None:
    result = make_result(seeds=2, epochs=20)
    lost = result.curves.with_columns(mix_loss=pl.lit(float("nan")))
    assert error_chart(report_of(result.but(curves=lost))) is None
