import json

import pytest

from overmix.errors import ConfigError
from overmix.study import parse_study, resolved
from overmix.study.spec.overrides import condition_parts

FIVE_LINES = """\
data: {name: digits, train_size: 200}
model: {hidden: [64]}
train: {epochs: 200}
compare: [{recipe: NoMixup, schedule: never}, {recipe: Mixup}, {name: half, schedule: {off_at: 0.5}}]
seeds: 5
"""


def test_every_default():
    assert resolved(parse_study({})) == {
        "name": "study",
        "data": {"name": "digits", "train_size": None, "val_size": 0.2, "balanced": False},
        "model": {"name": "mlp"},
        "train": {
            "epochs": 1000,
            "batch_size": 64,
            "objective": "cross_entropy",
            "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
            "lr_schedule": {"name": "constant", "milestones": [0.5, 0.75], "gamma": 0.1, "warmup": 0.0},
        },
        "compare": [
            {"name": "ERM", "recipe": "NoMixup", "schedule": "never", "data": {}, "model": {}, "train": {}},
            {"name": "Mixup", "recipe": "Mixup", "schedule": "always", "data": {}, "model": {}, "train": {}},
            {
                "name": "Mixup → ERM @75%",
                "recipe": "Mixup",
                "schedule": {"off_at": 0.75},
                "data": {},
                "model": {},
                "train": {},
            },
            {
                "name": "Mixup → ERM (auto)",
                "recipe": "Mixup",
                "schedule": "auto",
                "data": {},
                "model": {},
                "train": {},
            },
        ],
        "seeds": list(range(8)),
        "device": "auto",
        "executor": {"name": "local", "workers": "auto"},
    }


def test_a_study_that_says_what_it_compares_or_holds_out_means_what_it_always_did():
    compare = [{"recipe": "Mixup"}]
    assert parse_study({"compare": compare}).data.val_size == 0
    assert parse_study({"data": {"val_size": 50}}).data.val_size == 50
    nothing = parse_study({"data": {"val_size": 0}})
    assert (nothing.data.val_size, nothing.compare[-1].schedule) == (0, {"auto": {"holdout": 0.2}})
    assert "metric" not in resolved(nothing)
    assert resolved(parse_study({"metric": "balanced_error"}))["metric"] == "balanced_error"


def test_five_lines_are_a_study(tmp_path):
    from overmix.study import read_study

    path = tmp_path / "study.yaml"
    path.write_text(FIVE_LINES)
    spec = read_study(path)
    assert spec.condition_names == ["NoMixup", "Mixup", "half"]
    assert spec.seed_list == [0, 1, 2, 3, 4]
    assert spec.model.options == {"hidden": [64]}
    assert (spec.train.epochs, spec.train.batch_size) == (200, 64)


def test_what_is_resolved_is_json_and_means_the_same():
    study = {"compare": [{"recipe": {"Mixup": {"alpha": 0.4}}, "train": {"epochs": 3}}], "seeds": [4, 2]}
    text = json.dumps(resolved(parse_study(study)), allow_nan=False)
    assert resolved(parse_study(json.loads(text))) == json.loads(text)


def test_infinite_alpha_is_written_as_yaml_reads_it():
    spec = parse_study({"compare": [{"recipe": {"Mixup": {"alpha": float("inf")}}}]})
    assert spec.compare[0].recipe_parameters == {"alpha": float("inf")}
    assert resolved(spec)["compare"][0]["recipe"] == {"Mixup": {"alpha": ".inf"}}


def test_a_name_stands_for_the_mapping_that_has_only_it():
    short = {
        "data": "mnist1d",
        "model": "convnet",
        "train": {"lr_schedule": "cosine", "optimizer": "sgd"},
        "executor": "local",
        "compare": [{"model": "mlp", "data": "digits"}],
    }
    long = {
        "data": {"name": "mnist1d"},
        "model": {"name": "convnet"},
        "train": {"lr_schedule": {"name": "cosine"}, "optimizer": {"name": "sgd"}},
        "executor": {"name": "local"},
        "compare": [{"model": {"name": "mlp"}, "data": {"name": "digits"}}],
    }
    assert parse_study(short) == parse_study(long)


@pytest.mark.parametrize(
    ("recipe", "name", "parameters"),
    [
        ("Mixup", "Mixup", {}),
        ({"Mixup": None}, "Mixup", {}),
        ({"Mixup": {}}, "Mixup", {}),
        ({"Mixup": {"alpha": 2, "per": "sample"}}, "Mixup", {"alpha": 2, "per": "sample"}),
        ({"NoMixup": {}}, "NoMixup", {}),
    ],
)
def test_recipe_forms(recipe, name, parameters):
    condition = parse_study({"compare": [{"recipe": recipe}]}).compare[0]
    assert (condition.recipe_name, condition.recipe_parameters) == (name, parameters)


@pytest.mark.parametrize(("seeds", "listed"), [(3, [0, 1, 2]), ([7, 3], [7, 3]), ([0], [0]), (1, [0])])
def test_seeds_are_a_number_or_a_list(seeds, listed):
    assert parse_study({"seeds": seeds}).seed_list == listed


def parts(condition, **study):
    spec = parse_study(study | {"compare": [condition]})
    return condition_parts(spec, spec.compare[0])


def test_an_override_changes_one_value_and_keeps_its_neighbours():
    _, _, train = parts(
        {"train": {"optimizer": {"weight_decay": 0.005}}},
        train={"epochs": 7, "optimizer": {"lr": 0.2}, "lr_schedule": {"name": "cosine", "warmup": 2}},
    )
    assert train.optimizer.weight_decay == 0.005
    assert (train.optimizer.lr, train.optimizer.momentum, train.epochs) == (0.2, 0.9, 7)
    assert (train.lr_schedule.name, train.lr_schedule.warmup) == ("cosine", 2)


def test_a_name_as_override_keeps_the_neighbours_too():
    _, _, train = parts({"train": {"lr_schedule": "cosine"}}, train={"lr_schedule": {"warmup": 2}})
    assert (train.lr_schedule.name, train.lr_schedule.warmup) == ("cosine", 2)


def test_another_model_or_data_set_does_not_take_over_the_options_of_this_one():
    data, model, _ = parts(
        {"model": {"name": "convnet", "width": 4}, "data": "digits"},
        model={"hidden": [5]},
        data={"name": "npz", "path": "there.npz", "train_size": 60},
    )
    assert model.options == {"width": 4}
    assert (data.options, data.train_size) == ({}, 60)
    _, model, _ = parts({"model": {"dropout": 0.5}}, model={"hidden": [5]})
    assert model.options == {"hidden": [5], "dropout": 0.5}


def test_a_condition_without_overrides_has_the_parts_of_the_study():
    spec = parse_study({})
    assert condition_parts(spec, spec.compare[0]) == (spec.data, spec.model, spec.train)


def test_an_override_that_cannot_work_names_the_condition():
    spec = parse_study({"compare": [{"name": "long", "train": {"epochs": 9}}]})
    broken = spec.compare[0].model_copy(update={"train": {"epochs": 0}})
    with pytest.raises(ConfigError, match=r"^compare\[long\].train.epochs = 0: use a number >= 1$"):
        condition_parts(spec, broken)
