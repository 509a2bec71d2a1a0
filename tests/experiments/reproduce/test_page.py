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
