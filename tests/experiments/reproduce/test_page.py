import json
from pathlib import Path

import pytest

from overmix.experiments.reproduce import page as pages
from overmix.experiments.reproduce.check import Check, judge
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


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (Check("turn", -1.0, (-2.0, 0.0), "below", 0.0, "doublings"), "turn: × 0.50 [0.25 to 1.00] (below 1.00)"),
        (Check("loss", -0.1, (-0.2, 0.05), "below", 0.0), "loss: −0.100 [−0.200 to 0.050] (below 0.000)"),
        (Check("gap", 1.25, None, "below", 4.0, exact=True), "gap: 1.25 (below 4.00)"),
        (Check("depth", 0.03, None, "above", 0.005, "points"), "depth: 3.00 points (above 0.50)"),
    ],
)
def test_a_check_in_words(check, words):
    assert pages.describe(check) == words
