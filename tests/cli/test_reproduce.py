import json

import pytest


def test_the_list_names_every_experiment_with_its_claims(overmix):
    outcome = overmix("reproduce", "--list", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert len(content) == 11
    assert all(entry["claims"] and entry["settings"]["laptop"] for entry in content)
    table = overmix("reproduce", "--list")
    assert table.code == 0
    for entry in content:
        assert entry["name"] in table.out


def test_an_unknown_name_is_told_the_nearest(overmix):
    outcome = overmix("reproduce", "swiching", "--scale", "smoke")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("overmix: NAME = 'swiching': did you mean switching?")


@pytest.mark.parametrize("arguments", [[], ["mse", "--scale", "large"], ["mse", "--workers", "0"]])
def test_wrong_usage_has_exit_code_two(overmix, arguments):
    outcome = overmix("reproduce", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Usage: overmix reproduce" in outcome.err


def test_help_shows_examples_on_lines_of_their_own(overmix):
    lines = [line.strip() for line in overmix("reproduce", "--help").out.splitlines()]
    for example in ("overmix reproduce --list", "overmix reproduce over-training --scale smoke"):
        assert example in lines


def test_json_is_the_result_file(overmix, tmp_path):
    outcome = overmix("reproduce", "teacher-student", "--scale", "smoke", "--out", tmp_path / "toy", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out) == json.loads((tmp_path / "toy" / "result.json").read_text())


def test_the_table_says_that_smoke_means_nothing(overmix, tmp_path):
    outcome = overmix("reproduce", "random-features", "--scale", "smoke", "--out", tmp_path / "toy")
    assert outcome.code == 0
    assert "More label noise" in outcome.out
    assert "the verdicts mean nothing" in outcome.out
    assert f"Page: {tmp_path / 'toy' / 'report.html'}" in outcome.out
    assert (tmp_path / "toy" / "report.html").exists()


def test_a_folder_of_another_scale_is_refused(overmix, tmp_path):
    assert overmix("reproduce", "loss-floor", "--scale", "smoke", "--out", tmp_path / "own").code == 0
    before = (tmp_path / "own" / "result.json").read_text()
    outcome = overmix("reproduce", "loss-floor", "--scale", "laptop", "--out", tmp_path / "own")
    assert outcome.code == 2
    assert "it holds loss-floor at smoke scale, not loss-floor at laptop scale" in outcome.err
    assert (tmp_path / "own" / "result.json").read_text() == before


def test_ctrl_c_says_how_to_go_on(overmix, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("overmix.experiments.reproduce.theory.toy_curves", stop)
    outcome = overmix("reproduce", "teacher-student", "--scale", "smoke", "--out", tmp_path / "toy")
    assert outcome.code == 130
    assert "go on with the same command" in outcome.err
