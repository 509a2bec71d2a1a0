import json
from pathlib import Path

import pytest

from overmix.experiments.reproduce import page as pages
from overmix.experiments.reproduce.check import judge
from overmix.experiments.reproduce.claims import CLAIMS

ROOT = Path(__file__).parents[3]
RESULTS = sorted((ROOT / "results" / "reproduce").glob("*.json"))


def test_the_page_in_the_docs_is_made_of_the_committed_results():
    text = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    assert text == pages.page(pages.load_results(ROOT / "results" / "reproduce"))


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
        assert setting["n"] >= 8 or setting["key"] == "closed-form"
    assert "seconds" not in path.read_text(encoding="utf-8")


def test_a_claim_without_a_result_is_out_of_reach_and_said():
    text = pages.page({})
    assert text.count("out of reach here |") == len(CLAIMS)
    assert "Out of reach here: no result was measured." in text


def test_a_setting_that_came_after_the_result_is_named_as_not_measured_yet():
    results = pages.load_results(ROOT / "results" / "reproduce")
    result = results["gradient-norm"]
    few = [setting for setting in result["settings"] if setting["key"] == "digits-mlp"]
    text = pages.page({"gradient-norm": result | {"settings": few, "verdicts": judge(few), "missing": []}})
    assert "Settings that can be run and were not measured yet: digits-convnet." in text


def test_minima_are_shown_with_plain_training_once_they_were_measured():
    rows = [
        {"name": name, "rise": 0.25, "rise_ci": [0.2, 0.3], "top_eigenvalue": 6.0, "top_eigenvalue_ci": None,
         "trace": -121.5, "trace_ci": [-130.0, -113.0]}
        for name in ("Mixup, mixed loss, epoch 8", "ERM, clean loss, epoch 8")
    ]  # fmt: skip
    lines = pages._minima({"settings": [{"key": "digits-mlp", "rows": rows}]})
    assert lines[3] == "| digits-mlp | ERM, clean loss, epoch 8 | 0.25 (0.2 to 0.3) | 6 | −121.5 (−130 to −113) |"
    assert lines[1].count("|") == lines[0].count("|") == lines[3].count("|")
    assert any("no claim rests on ERM" in line for line in lines)
    old = [{"name": "epoch 8", "rise": 0.25, "top_eigenvalue": 6.0}]
    assert pages._minima({"settings": [{"key": "digits-mlp", "rows": old}]}) == []
