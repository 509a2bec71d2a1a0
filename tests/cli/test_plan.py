import json

import pytest

from overmix.report import closing as module

TABLE = ("runs", "steps", "FLOPs", "memory", "disk", "time")


@pytest.fixture
def no_clock(monkeypatch):
    """Take no time for measuring how long training, statistics and page take."""
    from overmix.study.plan import cost

    monkeypatch.setattr(cost, "calibrate", lambda *_: (1e-3, 1e-6))
    monkeypatch.setattr("overmix.report.closing.closing_time", lambda *_: module.Closing(2.0, 3.0))


@pytest.mark.slow
def test_times_are_measured_and_nothing_is_written(overmix, study_file, tmp_path, monkeypatch):
    from overmix.study.plan import cost

    calibrate = cost.calibrate
    monkeypatch.setattr(cost, "calibrate", lambda training, seconds: calibrate(training, seconds / 20))
    path = study_file()
    before = sorted(tmp_path.rglob("*"))
    planned = json.loads(overmix("plan", path, "--json").out)
    assert set(planned["seconds_of"]) == {"start", "training", "statistics", "page"}
    assert all(seconds > 0 for seconds in planned["seconds_of"].values())
    assert planned["seconds"] == pytest.approx(sum(planned["seconds_of"].values()))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("no_clock")
def test_a_plan_is_a_table_or_json_and_writes_nothing(overmix, study_file, tmp_path):
    path = study_file()
    before = sorted(tmp_path.rglob("*"))
    outcome = overmix("plan", path)
    assert (outcome.code, outcome.err) == (0, "")
    title, *lines = outcome.out.splitlines()
    assert title == "tiny"
    assert tuple(line.split()[0] for line in lines) == TABLE
    assert "4 of 2 conditions; 1 stacks to train" in lines[0]
    cost = json.loads(overmix("plan", path, "--json").out)
    assert cost["steps"] == {"separate": 24, "trained": 24, "probes_at_most": 0}
    assert cost["seconds"] > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_what_run_would_refuse_is_refused(overmix, study_file):
    outcome = overmix("plan", study_file("train: {batch_size: 5000}"))
    assert outcome.code == 2
    assert "train.batch_size = 5000: use at most" in outcome.err


@pytest.mark.usefixtures("no_clock")
def test_a_search_is_planned_as_switch_runs_it(overmix, study_file):
    from overmix.study import parse_study, plan_study, sweep_study
    from overmix.study.spec.yaml_file import read_yaml

    path = study_file()
    planned = json.loads(overmix("plan", path, "--switch", "--json").out)
    searched = plan_study(sweep_study(parse_study(read_yaml(path))))
    assert (planned["runs"], planned["conditions"]) == (len(searched.cells), len(searched.spec.compare))
    assert (planned["seconds_of"]["statistics"], planned["seconds_of"]["page"]) == (2.0, 3.0)
    assert planned["seconds"] == pytest.approx(sum(planned["seconds_of"].values()))


@pytest.mark.usefixtures("in_process", "no_clock")
def test_what_is_finished_costs_nothing(overmix, study_file, tmp_path):
    path = study_file()
    overmix("run", path, "--out", tmp_path / "out")
    planned = json.loads(overmix("plan", path, "--out", tmp_path / "out", "--json").out)
    assert (planned["runs_done"], planned["stacks"], planned["seconds_of"]["training"]) == (4, 0, 0.0)
