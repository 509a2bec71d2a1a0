import json
from pathlib import Path

import pytest

from overmix.errors import DataError
from overmix.experiments.reproduce.check import judge_claims
from overmix.experiments.reproduce.claims import CLAIMS
from tools import reproduction

ROOT = Path(__file__).parents[2]
RESULTS = sorted((ROOT / "results" / "reproduce").glob("*.json"))


def test_every_picture_on_the_page_is_there():
    text = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    named = [part.split(")")[0] for part in text.split("](reproduction/")[1:]]
    assert named
    assert all((ROOT / "docs" / "reproduction" / name).exists() for name in named)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_say_where_they_come_from(path):
    result = json.loads(path.read_text(encoding="utf-8"))
    assert (result["name"], result["scale"]) == (path.stem, "laptop")
    for setting in result["settings"]:
        assert setting["digest"]
        assert {"overmix", "torch", "cpu"} <= set(setting["versions"])
        fewest = 3 if setting["key"].startswith("fashion-resnet8") else 8
        assert setting["n"] >= fewest or setting["key"] == "closed-form"
    assert "seconds" not in path.read_text(encoding="utf-8")


def test_a_claim_without_a_result_is_out_of_reach_and_said():
    text = reproduction.page({})
    assert text.count("out of reach here |") == len(CLAIMS)
    assert "Out of reach here: no result was measured." in text


def test_a_setting_that_came_after_the_result_is_named_as_not_measured_yet():
    results = reproduction.load_results(ROOT / "results" / "reproduce")
    result = results["gradient-norm"]
    few = [setting for setting in result["settings"] if setting["key"] == "digits-mlp"]
    text = reproduction.page(
        {"gradient-norm": result | {"settings": few, "verdicts": judge_claims(few), "missing": []}}
    )
    assert "Settings that can be run and were not measured yet: digits-convnet." in text


def test_minima_are_shown_with_plain_training_once_they_were_measured():
    rows = [
        {"name": name, "rise": 0.25, "rise_ci": [0.2, 0.3], "top_eigenvalue": 6.0, "top_eigenvalue_ci": None,
         "trace": -121.5, "trace_ci": [-130.0, -113.0]}
        for name in ("Mixup, mixed loss, epoch 8", "ERM, clean loss, epoch 8")
    ]  # fmt: skip
    lines = reproduction._minima({"settings": [{"key": "digits-mlp", "rows": rows}]})
    assert lines[3] == "| digits-mlp | ERM, clean loss, epoch 8 | 0.25 (0.2 to 0.3) | 6 | −121.5 (−130 to −113) |"
    assert lines[1].count("|") == lines[0].count("|") == lines[3].count("|")
    assert any("no claim rests on ERM" in line for line in lines)
    old = [{"name": "epoch 8", "rise": 0.25, "top_eigenvalue": 6.0}]
    assert reproduction._minima({"settings": [{"key": "digits-mlp", "rows": old}]}) == []


def test_a_part_takes_the_place_of_what_it_measured_and_of_nothing_else(tmp_path):
    kept = json.loads((ROOT / "results" / "reproduce" / "over-training.json").read_text(encoding="utf-8"))
    place, run = tmp_path / reproduction.RESULTS / "over-training.json", tmp_path / "run"
    run.mkdir()
    first, second, *_ = kept["settings"]
    others = [{"key": setting["key"], "reason": "not asked for"} for setting in kept["settings"]]
    for part in ([second], [first | {"n_lost": 1}], [first]):
        missing = [entry for entry in others if entry["key"] not in [setting["key"] for setting in part]]
        (run / "result.json").write_text(json.dumps(kept | {"settings": part, "missing": missing}))
        reproduction.keep(run, tmp_path)
    result = json.loads(place.read_text(encoding="utf-8"))
    assert result["settings"] == [first, second]
    assert [entry["key"] for entry in result["missing"]] == [setting["key"] for setting in kept["settings"][2:]]
    assert result["verdicts"] == judge_claims([first, second])


def test_another_scale_is_never_kept(tmp_path):
    whole = json.loads((ROOT / "results" / "reproduce" / "teacher-student.json").read_text(encoding="utf-8"))
    (tmp_path / "result.json").write_text(json.dumps(whole | {"scale": "smoke"}))
    with pytest.raises(DataError, match="of smoke scale: run overmix reproduce teacher-student"):
        reproduction.keep(tmp_path, tmp_path)
    assert not (tmp_path / "results").exists()
