"""Studies of values, rows of labels, second views, domains and samples without a label, from file to advice."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from overmix.errors import ConfigError
from overmix.study import load_result, parse_study, run_study, summary_to_json

EXAMPLES = Path(__file__).parents[2] / "examples"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 6)).astype(np.float32)
Z = X @ RNG.normal(size=(6, 3)) + 0.3 * RNG.normal(size=(120, 3))


@pytest.fixture
def example_data(tmp_path):
    spec = importlib.util.spec_from_file_location("make_npz", EXAMPLES / "make_npz.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["regression-cmixup", "domains-lisa"])
@pytest.mark.usefixtures("in_process")
def test_the_examples_run(name, example_data, tmp_path):
    content = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    content["data"]["path"] = str(example_data / content["data"]["path"])
    content["train"]["epochs"], content["seeds"], content["device"] = 4, 2, "cpu"
    summary = summary_to_json(run_study(parse_study(content), tmp_path / "run"))
    assert all(row["final_error"] is not None for row in summary["conditions"])
    assert all(row["verdict"] in ("u-shaped", "monotone", "undecided") for row in summary["conditions"])
    assert json.dumps(summary, allow_nan=False)


CASES = {
    "values": ({"y": Z[:, 0]}, ["CMixup", {"AnchorMixup": {"intervals": 4}}], "value", "test_mae"),
    "rows": ({"y": (Z > 0).astype(np.uint8)}, ["Mixup", "RegMixup"], "fraction", "test_average_precision"),
    "views": ({"view": Z}, [{"BiMixCo": {"temperature": 0.1}}, "SoftCLIP"], "value", "test_score"),
    "few labels": (
        {"y": Z.argmax(1), "unlabelled": np.arange(120) >= 60},
        [{"ConfidentMixup": {"threshold": 0.5}}, {"ConfidentMixup": {"threshold": 2.0}}],
        "fraction",
        "test_error",
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("in_process")
def test_every_kind_of_label_is_trained_decided_on_and_judged(name, tmp_path):
    arrays, recipes, unit, column = CASES[name]
    np.savez(tmp_path / "a.npz", x=X, **arrays)
    spec = parse_study(
        {
            "data": {"name": "npz", "path": str(tmp_path / "a.npz"), "val_size": 12},
            "model": {"hidden": [8]},
            "train": {"epochs": 6, "batch_size": 16, "optimizer": {"lr": 0.01}},
            "compare": [
                {"name": "ERM", "recipe": "NoMixup", "schedule": "never"},
                {"name": "on", "recipe": recipes[0]},
                {"name": "never on", "recipe": recipes[0], "schedule": "never"},
                {"name": "auto", "recipe": recipes[0], "schedule": "auto"},
                {"name": "other", "recipe": recipes[1], "schedule": {"off_at": 0.5}},
            ],
            "seeds": 2,
            "device": "cpu",
        }
    )
    summary = summary_to_json(run_study(spec, tmp_path / "run"))
    curves = load_result(tmp_path / "run").curves
    assert summary["unit"] == unit
    assert np.isfinite(curves[column].to_numpy()).all()
    rows = {row["name"]: row for row in summary["conditions"]}
    # Off is the task's plain loss: the recipe that is never on is plain training.
    assert rows["never on"]["final_error"] == pytest.approx(rows["ERM"]["final_error"], rel=1e-4)
    if unit == "value":
        assert rows["ERM"]["delta"] == pytest.approx(0.05 * rows["ERM"]["lowest_error"])
    assert rows["on"]["final_error"] != rows["ERM"]["final_error"]
    assert rows["on"]["best_checkpoint"] is not None
    assert json.dumps(summary, allow_nan=False)


def test_one_of_is_written_as_a_list(tiny):
    from overmix.study.plan.cells import expand

    written = {"OneOf": [{"Mixup": {"alpha": 0.8}}, "NoMixup"]}
    spec = tiny(compare=[{"recipe": written}])
    assert spec.condition_names == ["OneOf"]
    assert expand(spec)[0].content["recipe"] == {
        "OneOf": {"recipes": [{"Mixup": {"alpha": 0.8, "per": "batch"}}, {"NoMixup": {}}], "probs": None}
    }
    assert tiny(compare=[{"recipe": {"OneOf": {"recipes": ["Mixup", "NoMixup"], "probs": [0.3, 0.7]}}}])
    for recipe, message in (
        ({"OneOf": []}, "write a list of recipes"),
        ({"OneOf": [3]}, "write each recipe as"),
        ({"OneOf": ["Mixpu"]}, "did you mean Mixup"),
        ({"OneOf": ["own:Recipe"]}, "allow it with --allow-code"),
        ({"OneOf": ["RegMixup"]}, "its objective is its own"),
        ({"Mixup": ["CutMix"]}, "write one recipe"),
    ):
        with pytest.raises(ConfigError, match=message):
            tiny(compare=[{"recipe": recipe}])


@pytest.mark.usefixtures("in_process")
def test_one_of_runs_and_says_how_to_call_it(tiny, tmp_path):
    summary = run_study(tiny(compare=[{"recipe": {"OneOf": [{"Mixup": {"alpha": 0.8}}, "CutMix"]}}]), tmp_path / "run")
    assert summary.conditions[0].final.value < 1
    from overmix.study.analyse.code_line import _called

    parameters = {"recipes": [{"Mixup": {"alpha": 0.8}}, "CutMix"], "probs": [0.5, 0.5]}
    assert _called("OneOf", parameters) == (
        "overmix.recipes.OneOf(overmix.Mixup(alpha=0.8), overmix.recipes.CutMix(), probs=[0.5, 0.5])"
    )
