"""Tables, methods and references for a manuscript."""

from dataclasses import replace

import polars as pl
import pytest

from overmix.report import paper
from overmix.report.paper import bibtex, methods, results_table
from overmix.study import StudyResult, Summary, parse_study, resolved
from overmix.study.analyse.record import ConditionSummary, Estimate

MIXUP = ConditionSummary(
    name="Mixup_1 & more",
    n_seeds=5,
    final=Estimate(0.095, 0.082, 0.108),
    lowest=Estimate(0.067),
    turning_epoch=Estimate(75),
    depth=Estimate(0.027, 0.02, 0.035),
    verdict="u-shaped",
)
ERM = replace(MIXUP, name="ERM", final=Estimate(0.072, 0.06, 0.084), depth=Estimate(0.0), verdict="monotone")


@pytest.fixture
def result():
    spec = parse_study(
        {
            "data": {"name": "digits", "train_size": 200, "val_size": 100},
            "model": {"hidden": [32]},
            "train": {"epochs": 400},
            "compare": [{"name": "ERM", "recipe": "NoMixup"}, {"name": MIXUP.name}, {"name": "C", "recipe": "CutMix"}],
            "seeds": 5,
        }
    )
    curves = pl.DataFrame({"condition": ["ERM"], "seed": [0], "epoch": [1], "test_error": [0.1], "mix_loss": [1.0]})
    versions = {"overmix": "0.1.0", "torch": "2.9", "numpy": "2.1", "python": "3.12", "cpu": "X", "device": "cpu"}
    summary = Summary(
        name="Digits: 100 % real", conditions=(ERM, MIXUP), best="ERM", n_test=1000, epochs=400, versions=versions
    )
    return StudyResult(resolved(spec), summary, curves)


def test_text_has_columns_of_one_width(result, monkeypatch):
    header, first, second = results_table(result, "text").splitlines()
    assert header.split("  ")[0] == "Condition"
    assert first.split() == ["ERM", "7.2", "%", "[6.0,", "8.4]", "6.7", "%", "75", "0.0", "%", "monotone", "5"]
    assert header.index("Lowest") == first.index("6.7") == second.index("6.7")


def test_markdown_marks_the_best_and_escapes_bars(result):
    lines = results_table(result, "markdown").splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert "| ERM | **7.2" in lines[2]
    assert "**" not in lines[3]


def test_latex_escapes_and_has_as_many_cells_as_columns(result):
    text = results_table(result, "latex")
    assert r"\caption{" in text
    assert r"Mixup\_1 \& more & 9.5~\% [8.2, 10.8]" in text
    assert r"\textbf{7.2~\% [6.0, 8.4]}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in rows} == {6}
    assert r"\begin{tabular}{lrrrrrr}" in text


def test_methods_say_data_seeds_intervals_and_versions(result):
    said = methods(result)
    for words in (
        "digits, 200 training samples drawn for each seed, and 100 more held out for decisions",
        "the model mlp (hidden [32])",
        "for 400 epochs in batches of 64",
        "stochastic gradient descent (learning rate 0.05, constant; momentum 0.9)",
        "5 random seeds",
        "1,000 test samples",
        "95 % bootstrap intervals over seeds and test samples",
        "overmix 0.1.0 with PyTorch 2.9, NumPy 2.1 and Python 3.12 on cpu (X)",
    ):
        assert words in said


def test_bibtex_is_balanced_and_names_the_recipes_that_were_used(result):
    text = bibtex(result)
    assert text.count("{") == text.count("}")
    assert "@inproceedings{liu2023overtraining," in text
    assert "% CutMix: " in text
    assert "% Mixup: " in text
    assert "LISA" not in text


def test_what_is_held_out_is_part_of_all_training_samples_or_comes_beside_those_drawn():
    def words(**data):
        return paper._data_words({"data": {"name": "digits", **data}})

    assert words(val_size=0) == "digits, all of its training samples"
    assert words(val_size=0.2).endswith("samples, of which 20% held out for decisions")
    assert words(train_size=50, val_size=0.2).endswith("for each seed, and 20% as many held out for decisions")
