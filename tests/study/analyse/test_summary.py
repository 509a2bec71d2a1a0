import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from overmix.study import parse_study, run_study
from overmix.study.analyse.cell_result import CellResult
from overmix.study.analyse.record_json import to_json
from overmix.study.analyse.summary import summarise
from overmix.study.plan.cells import expand
from overmix.train import METRICS

TOP = {
    "schema_version", "name", "metric", "conditions", "comparisons", "best",  # what scripts may rely on
    "advice", "policies", "floor", "epochs", "n_test", "steps", "elapsed_seconds", "versions", "earlier_versions",
    "labels", "unit", "majority", "unequal", "n_val", "seal", "curves_sha256",
}  # fmt: skip
CONDITION = {
    "name", "n_seeds", "n_diverged", "final_error", "final_error_ci", "lowest_error", "turning_epoch", "depth",
    "depth_ci", "verdict",  # what scripts may rely on
    "role", "switch_epoch", "decided", "best_checkpoint", "cost", "steps", "seconds", "lowest_error_ci",
    "turning_epoch_ci", "delta", "method", "advice", "epochs", "family", "lowest_loss", "accumulated_lr",
    "final_cross_entropy", "final_cross_entropy_ci", "final_brier", "final_brier_ci", "final_ece", "final_ece_ci",
    "final_balanced_error", "final_balanced_error_ci",
}  # fmt: skip
COMPARISON = {"a", "b", "difference", "ci", "n", "p_value", "p_holm"}
INTERVALS = ("final_error_ci", "depth_ci", "turning_epoch_ci", "lowest_error_ci", "final_brier_ci")


@pytest.fixture
def summary_of(tmp_path, tiny, in_process):
    """Return a function that runs a tiny study and returns its summary, as a script reads it, and its curves."""

    def run(**changes):
        run_study(tiny(**changes), tmp_path / "run")
        text = (tmp_path / "run" / "summary.json").read_text()
        return json.loads(text, parse_constant=pytest.fail), pl.read_parquet(tmp_path / "run" / "curves.parquet")

    return run


def is_interval(value):
    return isinstance(value, list) and len(value) == 2 and value[0] <= value[1]


def test_the_schema_with_several_seeds(summary_of):
    summary, curves = summary_of(seeds=3)
    assert summary.keys() == TOP
    assert (summary["schema_version"], summary["metric"], summary["name"]) == (1, "error", "tiny")
    assert [row["name"] for row in summary["conditions"]] == ["ERM", "Mixup"]
    for row in summary["conditions"]:
        assert row.keys() == CONDITION
        assert (row["n_seeds"], row["n_diverged"], row["steps"]) == (3, 0, 8)
        assert all(is_interval(row[key]) for key in INTERVALS)
        assert row["verdict"] in ("u-shaped", "monotone", "undecided")
        assert row["turning_epoch"] in curves["epoch"]
    (comparison,) = summary["comparisons"]
    assert comparison.keys() == COMPARISON
    assert (comparison["a"], comparison["b"], comparison["n"]) == ("Mixup", "ERM", 3)
    assert is_interval(comparison["ci"])
    finals = {row["name"]: row["final_error"] for row in summary["conditions"]}
    assert summary["best"] == min(finals, key=finals.get)
    assert (summary["epochs"], summary["n_test"]) == (4, 1000)
    assert summary["floor"].keys() == {"Mixup"}


def test_numbers_are_those_of_the_curves(summary_of):
    summary, curves = summary_of(seeds=3)
    last = curves.filter(epoch=4)
    for row in summary["conditions"]:
        own = last.filter(condition=row["name"])
        assert row["final_error"] == pytest.approx(own["test_error"].mean(), abs=1e-7)
        for name in ("cross_entropy", "brier", "ece"):
            assert row[f"final_{name}"] == pytest.approx(own[f"test_{name}"].mean())
        lowest = curves.filter(condition=row["name"], epoch=row["turning_epoch"])["test_error"].mean()
        assert row["lowest_error"] == pytest.approx(lowest, abs=1e-7)
    by_name = {name: last.filter(condition=name)["test_error"].mean() for name in ("ERM", "Mixup")}
    (comparison,) = summary["comparisons"]
    assert comparison["difference"] == pytest.approx(by_name["Mixup"] - by_name["ERM"], abs=1e-7)


def test_the_best_checkpoint_is_chosen_on_the_validation_split(summary_of):
    summary, curves = summary_of(seeds=3, data={"name": "digits", "train_size": 40, "val_size": 40, "balanced": True})
    for row in summary["conditions"]:
        own = curves.filter(condition=row["name"]).sort("val_brier").group_by("seed", maintain_order=True).first()
        found = row["best_checkpoint"]
        assert found["epochs"] == own.sort("seed")["epoch"].to_list()
        assert found["error"] == pytest.approx(own["test_error"].mean(), abs=1e-7)
        assert found["gain"] == pytest.approx(row["final_error"] - found["error"], abs=1e-7)
        assert is_interval(found["gain_ci"])


def test_without_a_validation_split_there_is_no_best_checkpoint(summary_of):
    summary, _ = summary_of(data={"name": "digits", "train_size": 40, "balanced": True})
    assert all(row["best_checkpoint"] is None for row in summary["conditions"])


def test_one_seed_has_no_intervals(summary_of):
    summary, _ = summary_of(seeds=1)
    for row in summary["conditions"]:
        assert row["n_seeds"] == 1
        assert row["final_error"] is not None
        assert all(row[key] is None for key in row if key.endswith("_ci"))
    (comparison,) = summary["comparisons"]
    assert (comparison["ci"], comparison["p_value"], comparison["n"]) == (None, None, 1)


def test_a_condition_that_diverges_is_counted_and_left_out(summary_of):
    compare = [
        {"name": "ERM", "recipe": "NoMixup"},
        {"name": "Mixup"},
        {"name": "wild", "train": {"optimizer": {"lr": 1e9}}},
    ]
    summary, curves = summary_of(compare=compare, seeds=2)
    erm, mixup, wild = summary["conditions"]
    assert (wild["n_seeds"], wild["n_diverged"], wild["verdict"]) == (2, 2, "undecided")
    assert all(wild[key] is None for key in ("final_error", "depth", "turning_epoch", "final_brier", *INTERVALS))
    assert (erm["n_diverged"], mixup["n_diverged"]) == (0, 0)
    assert [(row["a"], row["b"]) for row in summary["comparisons"]] == [("Mixup", "ERM")]
    assert summary["best"] in ("ERM", "Mixup")
    assert len(curves.filter(condition="wild")) == len(curves.filter(condition="ERM"))


def test_the_others_do_not_change_by_a_bit_when_one_diverges(summary_of, tmp_path, tiny):
    compare = [{"name": "Mixup"}, {"name": "wild", "train": {"optimizer": {"lr": 1e9}}}]
    tame = [{"name": "Mixup"}, {"name": "wild", "train": {"optimizer": {"lr": 0.05}}}]
    _, curves = summary_of(compare=compare)
    run_study(tiny(compare=tame), tmp_path / "tame")
    expected = pl.read_parquet(tmp_path / "tame" / "curves.parquet")
    assert curves.filter(condition="Mixup").equals(expected.filter(condition="Mixup"))


def test_everything_diverged(summary_of):
    summary, _ = summary_of(compare=[{"name": "wild"}], train={"epochs": 4, "optimizer": {"lr": 1e9}})
    assert summary["best"] is None
    assert summary["comparisons"] == []
    assert summary["conditions"][0]["n_diverged"] == 2


def test_infinite_alpha_and_one_epoch(summary_of):
    compare = [{"name": "halves", "recipe": {"Mixup": {"alpha": float("inf")}}}]
    summary, _ = summary_of(compare=compare, train={"epochs": 1})
    assert summary["conditions"][0]["turning_epoch"] == 1
    assert 0 < summary["floor"]["halves"] < np.log(10)


def test_conditions_of_different_length_are_compared(summary_of):
    compare = [{"name": "short", "train": {"epochs": 2}}, {"name": "long"}]
    summary, _ = summary_of(compare=compare)
    assert [row["role"] for row in summary["conditions"]] == ["other", "mixup"]
    assert [row["steps"] for row in summary["conditions"]] == [4, 8]
    assert len(summary["comparisons"]) == 1
    assert summary["epochs"] == 4


def test_different_test_sets_are_not_compared(summary_of, tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", x=rng.random((200, 3)), y=np.arange(200) % 3)
    compare = [{"name": n, "data": {"name": "npz", "path": str(tmp_path / f"{n}.npz")}} for n in "ab"]
    compare.append({"name": "more of a", "data": {"name": "npz", "path": str(tmp_path / "a.npz"), "train_size": 90}})
    summary, _ = summary_of(compare=compare)
    assert [(row["a"], row["b"]) for row in summary["comparisons"]] == [("more of a", "a")]


def cell(spec, condition, seed, wrong, loss=0.1):
    """Return a training of two looks at four test samples."""
    return CellResult(
        cell=next(cell for cell in expand(spec) if (cell.condition, cell.seed) == (condition, seed)),
        epochs=np.array([1, 2]),
        values={name: np.array([0.5, 0.5]) for name in METRICS}
        | {"mix_loss": np.array([0.1, loss]), "mix_floor": np.zeros(2)},
        wrong=np.array([wrong, wrong], dtype=np.uint8),
        class_counts=[32, 32],
        steps_per_epoch=2,
        seconds=1.0,
        n_val=int(spec.data.val_size),
    )


def test_only_seeds_that_both_conditions_finished_are_compared():
    spec = parse_study(
        {"train": {"epochs": 2}, "compare": [{"name": "A", "recipe": "NoMixup"}, {"name": "B"}], "seeds": [1, 2, 3]}
    )
    cells = [
        cell(spec, "A", 1, [1, 0, 0, 0]),
        cell(spec, "A", 2, [1, 1, 1, 1], loss=float("nan")),
        cell(spec, "A", 3, [0, 0, 0, 0]),
        cell(spec, "B", 1, [1, 1, 0, 0]),
        cell(spec, "B", 2, [0, 0, 0, 0]),
        cell(spec, "B", 3, [1, 1, 1, 1], loss=1e30),
    ]
    summary = to_json(summarise(spec, cells, {"fingerprint": {}}))
    a, b = summary["conditions"]
    assert (a["n_seeds"], a["n_diverged"], a["final_error"]) == (3, 1, pytest.approx(0.125))
    assert (b["n_seeds"], b["n_diverged"], b["final_error"]) == (3, 1, pytest.approx(0.25))
    (comparison,) = summary["comparisons"]
    assert (comparison["n"], comparison["difference"]) == (1, pytest.approx(0.25))


FINALS = {"ERM": 0.15, "Mixup": 0.2, "@1": 0.05, "@3": 0.06}
COMPARE = [
    {"name": "ERM", "recipe": "NoMixup"},
    {"name": "Mixup", "recipe": {"Mixup": {"alpha": float("inf")}}},
    {"name": "@1", "recipe": {"Mixup": {"alpha": float("inf")}}, "schedule": {"off_at": 1}},
    {"name": "@3", "recipe": {"Mixup": {"alpha": float("inf")}}, "schedule": {"off_at": 3}},
]


def study_of(compare, finals, *, val_errors=None, **keys):
    """Return the summary of a study of eight seeds that ends with these test errors."""
    data = {"name": "digits", "val_size": 50 if val_errors else 0}
    spec = parse_study({"train": {"epochs": 4}, "compare": compare, "seeds": 8, "data": data})
    cells = []
    for name, error in finals.items():
        for seed in spec.seed_list:
            wrong = np.random.default_rng([seed, 7]).random(1000) < error  # twins: the same samples are hard
            one = replace(cell(spec, name, seed, [0]), wrong=np.stack([wrong, wrong]).astype(np.uint8), **keys)
            if val_errors:
                one = replace(one, values=one.values | {"val_error": np.full(2, val_errors[name])})
            cells.append(one)
    return to_json(summarise(spec, cells, {"fingerprint": {}}))


def test_the_switch_is_chosen_on_the_validation_split_and_code_gain_and_sentence_follow():
    by_validation = study_of(COMPARE, FINALS, val_errors={"ERM": 0.2, "Mixup": 0.3, "@1": 0.12, "@3": 0.11})
    by_test = study_of(COMPARE, FINALS)
    for summary, chosen_on, epoch in ((by_validation, "validation", 3), (by_test, "test", 1)):
        advice = summary["advice"]
        assert (advice["kind"], advice["chosen_on"], advice["candidates"]) == ("switch", chosen_on, 3)
        assert (advice["switch_epoch"], advice["condition"], advice["gain_of"]) == (epoch, f"@{epoch}", f"@{epoch}")
        assert f"Off at about {epoch}" in advice["until"]["sentence"]
        assert advice["code"].endswith(f"switch=overmix.off_at({epoch}))")
        finals = {row["name"]: row["final_error"] for row in summary["conditions"]}
        assert advice["gain_over_erm"] == pytest.approx(finals["ERM"] - finals[f"@{epoch}"])
    plain = next(row for row in by_test["comparisons"] if (row["a"], row["b"]) == ("@1", "ERM"))
    assert np.diff(by_test["advice"]["gain_ci"]) > 1.1 * np.diff(plain["ci"])
    plain = next(row for row in by_validation["comparisons"] if (row["a"], row["b"]) == ("@3", "ERM"))
    assert by_validation["advice"]["gain_ci"] == pytest.approx([-plain["ci"][1], -plain["ci"][0]])


@pytest.mark.parametrize(
    ("finals", "kind"),
    [
        (FINALS, "switch"),
        ({"ERM": 0.1, "Mixup": 0.2, "@1": 0.1, "@3": 0.1}, "no-mixup"),
        ({"ERM": 0.2, "Mixup": 0.1, "@1": 0.15, "@3": 0.15}, "keep-mixup"),
    ],
)
def test_the_line_of_code_runs(finals, kind):
    import overmix

    advice = study_of(COMPARE, finals)["advice"]
    assert advice["kind"] == kind
    scope = {"overmix": overmix}
    exec(advice["code"], scope)
    assert isinstance(scope["run"], overmix.Epochs)


@pytest.mark.parametrize("schedule", ["auto", {"auto": {"tail": 0.05, "holdout": 0.3}}])
def test_the_line_of_code_of_a_switch_that_decides_by_itself_runs(schedule):
    import torch

    import overmix

    compare = [*COMPARE[:2], {**COMPARE[2], "name": "auto", "schedule": schedule}]
    finals = {"ERM": 0.15, "Mixup": 0.2, "auto": 0.05}
    val_errors = {name: error + 0.05 for name, error in finals.items()}
    summary = study_of(compare, finals, val_errors=val_errors, switch_at=2)
    advice = summary["advice"]
    assert summary["conditions"][2]["role"] == "auto"
    assert (advice["kind"], advice["condition"], advice["switch_epoch"]) == ("switch", "auto", None)
    model = torch.nn.Linear(2, 2)
    scope = {"overmix": overmix, "model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1)}
    exec(advice["code"], scope)
    assert ("tail=0.05" in advice["code"]) == (schedule != "auto")


def test_a_study_in_which_every_condition_overrides_the_training_is_judged():
    longer = {"train": {"epochs": 5}}
    compare = [{**entry, **longer} for entry in COMPARE]
    assert study_of(compare, FINALS)["advice"]["kind"] == "switch"


def test_the_rule_by_lowest_training_loss(summary_of):
    summary, curves = summary_of(seeds=3, train={"epochs": 6, "batch_size": 32, "optimizer": {"lr": 0.5}})
    for row in summary["conditions"]:
        own = curves.filter(pl.col("condition") == row["name"])
        own = own.with_columns(above=pl.col("mix_loss") - pl.col("mix_floor"))
        best = own.sort("above").group_by("seed").first().sort("seed")
        rule = row["lowest_loss"]
        assert rule["epochs"] == best["epoch"].to_list()
        assert rule["loss"] == pytest.approx(best["mix_loss"].mean())
        assert rule["error"] == pytest.approx(best["test_error"].mean())
        assert rule["error_ci"][0] <= rule["error"] <= rule["error_ci"][1]


def test_budgets_are_a_family_and_nothing_else_is(summary_of):
    compare = [
        {"name": "2"},
        {"name": "3", "train": {"epochs": 3}},
        {"name": "5", "train": {"epochs": 5, "lr_schedule": "constant"}},
        {"name": "cosine", "train": {"lr_schedule": "cosine"}},
        {"name": "ERM", "recipe": "NoMixup"},
    ]
    summary, curves = summary_of(compare=compare, train={"epochs": 2, "batch_size": 32})
    rows = {row["name"]: row for row in summary["conditions"]}
    assert [row["epochs"] for row in rows.values()] == [2, 3, 5, 2, 2]
    assert rows["2"]["family"] == rows["3"]["family"] == rows["5"]["family"]
    assert len({row["family"] for row in rows.values()}) == 3
    assert curves.group_by("condition").agg(pl.col("epoch").max()).sort("condition")["epoch"].to_list() == [
        2,
        3,
        5,
        2,
        2,
    ]


def test_the_learning_rate_adds_up_over_the_steps(summary_of):
    compare = [
        {"name": "constant"},
        {"name": "tenth", "train": {"lr_schedule": {"name": "multistep", "milestones": [2], "gamma": 0.1}}},
        {"name": "half the data", "data": {"train_size": 32}},
    ]
    train = {"epochs": 4, "batch_size": 32, "optimizer": {"lr": 0.5}}
    summary, curves = summary_of(
        compare=compare, train=train, data={"name": "digits", "train_size": 64, "balanced": True}
    )
    found = [row["accumulated_lr"] for row in summary["conditions"]]
    np.testing.assert_allclose(found, [[1, 2, 3, 4], [1, 2, 2.1, 2.2], [0.5, 1, 1.5, 2]], rtol=1e-6)
    own = curves.filter((pl.col("condition") == "half the data") & (pl.col("seed") == 0))
    assert own["step"].to_list() == own["epoch"].to_list()
