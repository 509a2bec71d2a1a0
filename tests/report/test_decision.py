import json
import math
from dataclasses import replace

import pytest

from overmix.errors import ConfigError, DataError
from overmix.report import decision_chart, save_decision
from overmix.switch import Observation, Probe
from overmix.switch.outcome import GATED, Outcome


def outcome(switch_at=8, probes=None, observations=None):
    if probes is None:
        probes = (Probe(0, 2, (0.9, 0.8, 1.0)), Probe(4, 2, (0.2, 0.4, 0.3)), Probe(8, 2, (0.1, 0.2, 0.25)))
    if observations is None:
        observations = tuple(
            Observation(epoch, 1.0, 3, brier, "brier", split)
            for epoch, brier in enumerate([1.0, 0.5, math.inf, 0.4])
            for split in ("val", "train")
        )
    return Outcome(16, switch_at, "the best of all", probes, observations, spent=20)


def layers(chart):
    return [(layer["mark"]["type"], layer["data"]["values"]) for layer in chart.spec["layer"]]


def test_what_was_seen_is_drawn():
    chart = decision_chart(outcome().to_dict())
    (line, looks), (_, bars), (_, dots), (_, rule) = layers(chart)
    assert line == "line"
    # Held-out samples only, finite ones only, counted from one.
    assert [(look["epoch"], look["score"]) for look in looks] == [(1, 1.0), (2, 0.5), (4, 0.4)]
    # A probe before any training has no place on a logarithmic axis; the table has it.
    assert [dot["epoch"] for dot in dots] == [4, 8]
    assert dots[1]["low"] == dots[1]["score"] == dots[1]["high"]
    behind = outcome().rows()[1]
    assert bars[0]["high"] - bars[0]["low"] == pytest.approx(4 * behind.standard_error)
    assert rule == [{"epoch": 8}]
    assert [row[0] for row in chart.table.rows] == ["0", "4", "8"]
    assert "Price: 1.25 runs" in chart.alt


def test_it_is_the_same_when_read_from_json():
    said = outcome().to_dict()
    assert decision_chart(json.loads(json.dumps(said))) == decision_chart(said)


@pytest.mark.parametrize(
    ("switch_at", "title"), [(0, "Do not mix"), (16, "Mix to the end"), (None, "Open, Mixup stays on")]
)
def test_every_answer_has_its_words(switch_at, title):
    chart = decision_chart(outcome(switch_at).to_dict())
    assert chart.title == title
    assert ("rule", [{"epoch": 16}]) in layers(chart) if switch_at == 16 else len(chart.spec["layer"]) == 3


def test_what_a_user_gates_is_not_called_mixup():
    chart = decision_chart(replace(outcome(), what=GATED).to_dict())
    assert chart.title == "Augmentation off after 8 of 16 epochs"
    assert "Mixup" not in json.dumps([chart.spec, chart.table.columns, chart.alt])


def test_a_single_held_out_sample_has_no_bars():
    chart = decision_chart(outcome(probes=(Probe(4, 2, (0.2,)), Probe(8, 2, (0.1,)))).to_dict())
    assert all(dot["low"] == dot["high"] for dot in layers(chart)[2][1])


def test_a_run_without_probes_shows_its_own_curve():
    chart = decision_chart(outcome(probes=()).to_dict())
    assert layers(chart)[2][1] == []
    assert len(layers(chart)[0][1]) == 3


def test_nothing_seen_is_nothing_to_draw(tmp_path):
    fixed = Outcome(16, 8, "fixed", (), (), spent=16, fixed=True).to_dict()
    with pytest.raises(DataError, match="nothing to draw"):
        save_decision(fixed, tmp_path / "d.png")
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_written(tmp_path):
    said = outcome().to_dict()
    assert save_decision(said, tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")
    assert "Mixup off after 8 of 16 epochs" in save_decision(said, tmp_path / "d.svg").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^path = .*\.pdf.*: give it the ending"):
        save_decision(said, tmp_path / "d.pdf")
