"""``overmix switch --fair``: trials first, then the tuned arms; each says from how many trials they come."""

import json

import pytest

from overmix.study.run.worker import StackRunner


@pytest.mark.usefixtures("in_process")
def test_the_tuned_arms_say_what_was_chosen_and_a_second_run_trains_nothing(overmix, study_file, tmp_path, monkeypatch):
    path, out = study_file(), tmp_path / "out"
    outcome = overmix("switch", path, "--fair", "--out", out, "--json")
    assert outcome.code == 0
    summary = json.loads(outcome.out)
    assert [row["role"] for row in summary["conditions"]] == ["erm", "mixup", "switched", "auto"]
    assert [one["arm"] for one in summary["tuned"]] == [row["name"] for row in summary["conditions"]]
    assert {(one["trials"], one["seeds"]) for one in summary["tuned"]} == {(6, 3)}
    trials = json.loads((tmp_path / "out-trials" / "study.json").read_text())["study"]
    assert (len(trials["compare"]), len(trials["seeds"])) == (24, 3)
    monkeypatch.setattr(StackRunner, "run", lambda *_: pytest.fail("trained"))
    again = overmix("switch", path, "--fair", "--out", out)
    assert "ERM: weight decay " in again.out
    assert "the best of 6 trials on 3 seeds by held-out" in " ".join(again.out.split())


def test_its_parts_are_no_shards(overmix, study_file):
    outcome = overmix("switch", study_file(), "--fair", "--shard", "1/2")
    assert (outcome.code, outcome.err.partition(":")[2][:16]) == (2, " --shard = '1/2'")


def test_it_is_planned_as_it_runs(overmix, study_file, monkeypatch):
    from overmix.report import closing
    from overmix.study.plan import cost

    monkeypatch.setattr(cost, "calibrate", lambda *_: (1e-3, 1e-6))
    monkeypatch.setattr("overmix.report.closing.closing_time", lambda *_: closing.Closing(2.0, 3.0))
    planned = json.loads(overmix("plan", study_file(), "--fair", "--json").out)
    assert [(planned[name]["conditions"], planned[name]["runs"]) for name in ("trials", "comparison")] == [
        (24, 72),
        (4, 8),
    ]
    assert [planned[name]["name"] for name in planned] == ["tiny: trials", "tiny: tuned alike"]
