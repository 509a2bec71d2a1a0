import json

import pytest

TABLE = ("runs", "steps", "FLOPs", "memory", "disk", "time")


@pytest.mark.slow
def test_a_plan_is_a_table_or_json_and_writes_nothing(overmix, study_file, tmp_path):
    path = study_file()
    before = sorted(tmp_path.rglob("*"))
    outcome = overmix("plan", path)
    assert (outcome.code, outcome.err) == (0, "")
    title, *lines = outcome.out.splitlines()
    assert title == "tiny"
    assert tuple(line.split()[0] for line in lines) == TABLE
    assert "4 of 2 conditions, in 1 stacks" in lines[0]
    cost = json.loads(overmix("plan", path, "--json").out)
    assert cost["steps"] == {"separate": 24, "trained": 24, "probes_at_most": 0}
    assert cost["seconds"] > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_what_run_would_refuse_is_refused(overmix, study_file):
    outcome = overmix("plan", study_file("train: {batch_size: 5000}"))
    assert outcome.code == 2
    assert "train.batch_size = 5000: use at most" in outcome.err
