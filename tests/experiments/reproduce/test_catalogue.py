import json
from importlib import resources
from pathlib import Path

import pytest

from overmix.errors import ConfigError
from overmix.experiments.reproduce.catalogue import EXPERIMENTS, experiment, study_spec
from overmix.experiments.reproduce.claims import CLAIMS, claim_of
from overmix.study.plan.cells import expand
from overmix.study.spec.overrides import condition_parts

RESULTS = Path(__file__).parents[3] / "results" / "reproduce"
NAMES = [
    "over-training", "data-size", "augmentation", "mse", "switching", "gradient-norm", "landscape", "teacher-student",
    "random-features", "label-noise", "loss-floor",
]  # fmt: skip
STUDIES = [
    (entry.name, setting.key, scale)
    for entry in EXPERIMENTS
    for scale in entry.scales
    for setting in entry.at(scale)
    if setting.compute is None and not (scale == "paper" and not entry.paper)
]


def test_the_names_are_those_of_the_paper_s_experiments():
    assert [entry.name for entry in EXPERIMENTS] == NAMES


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(ConfigError, match="did you mean teacher-student"):
        experiment("teacher-studnt")


@pytest.mark.parametrize(("name", "key", "scale"), STUDIES)
def test_every_study_passes_the_validator(name, key, scale):
    spec = study_spec(name, key, scale)
    assert spec.condition_names
    if scale == "laptop":
        # A residual network's training takes minutes, a perceptron's seconds.
        assert len(spec.seed_list) >= (3 if spec.model.name == "resnet8" else 8)
    if scale == "smoke":
        assert len(spec.seed_list) == 2
        assert spec.train.epochs == 12


@pytest.mark.parametrize("name", ["gradient-norm", "landscape"])
def test_the_convnet_is_looked_at_where_over_training_found_its_turn(name):
    own, trained = study_spec(name, "digits-convnet", "laptop"), study_spec("over-training", "digits-convnet", "laptop")
    assert (own.data, own.model, own.train, own.seeds) == (trained.data, trained.model, trained.train, trained.seeds)
    result = json.loads((RESULTS / "over-training.json").read_text(encoding="utf-8"))
    (setting,) = (setting for setting in result["settings"] if setting["key"] == "digits-convnet")
    (mixup,) = (row for row in setting["rows"] if row["name"] == "Mixup")
    (measured,) = (setting for setting in experiment(name).settings if setting.key == "digits-convnet")
    assert measured.measure.keywords["turn"] == mixup["turning_epoch"] / own.train.epochs


def test_the_residual_network_s_settings_share_their_trainings():
    cells = {
        (name, key): {cell.id for cell in expand(study_spec(name, key, "laptop"))}
        for name in ("over-training", "switching", "augmentation", "data-size")
        for key in (setting.key for setting in experiment(name).settings if setting.key.startswith("fashion-resnet8"))
    }
    assert cells["over-training", "fashion-resnet8"] < cells["switching", "fashion-resnet8"]
    assert cells["over-training", "fashion-resnet8"] < cells["augmentation", "fashion-resnet8"]
    assert cells["over-training", "fashion-resnet8-1000"] < cells["switching", "fashion-resnet8-1000"]
    augmented = cells["augmentation", "fashion-resnet8"] - cells["over-training", "fashion-resnet8"]
    assert augmented < cells["switching", "fashion-resnet8-augmented"]
    sizes = cells["data-size", "fashion-resnet8"]
    assert len(sizes & cells["switching", "fashion-resnet8"]) == 3
    assert len(sizes & cells["switching", "fashion-resnet8-1000"]) == 3


@pytest.mark.parametrize("setting", experiment("data-size").settings, ids=lambda setting: setting.key)
def test_the_larger_set_is_the_larger_one_at_smoke_scale_too(setting):
    sizes = [
        [cell.data.train_size for cell in expand(study_spec("data-size", setting.key, scale))]
        for scale in ("laptop", "smoke")
    ]
    larger, smaller = (sorted(set(each)) for each in sizes)
    order = {size: place for place, size in enumerate(larger)}
    assert [smaller.index(size) for size in dict.fromkeys(sizes[1])] == [
        order[size] for size in dict.fromkeys(sizes[0])
    ]


def test_no_study_file_lies_unused():
    folder = resources.files("overmix.experiments.reproduce") / "studies"
    files = {
        (scale.name, name.name, file.name.removesuffix(".yaml"))
        for scale in folder.iterdir()
        for name in scale.iterdir()
        for file in name.iterdir()
    }
    assert files == {(scale, name, key) for name, key, scale in STUDIES if scale != "smoke"}


def test_rules_name_conditions_that_their_studies_have():
    for entry in EXPERIMENTS:
        for scale in entry.scales:
            for setting in entry.at(scale):
                for claim in setting.rules:
                    assert claim_of(entry.name, claim).experiment == entry.name


def test_every_claim_has_words_a_rule_and_a_provenance():
    assert len({(claim.experiment, claim.key) for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.experiment in NAMES
        assert claim.text.endswith(".")
        assert claim.rule
        assert claim.provenance in ("abstract", "second-hand", "our recollection", "ours")
    with pytest.raises(KeyError, match="no claim"):
        claim_of("mse", "nonsense")


@pytest.mark.parametrize(
    ("name", "key", "model", "epochs"),
    [
        ("over-training", "cifar10-resnet18", "resnet18", 1600),
        ("over-training", "cifar100-resnet34", "resnet34", 1600),
        ("over-training", "svhn-resnet18", "resnet18", 1000),
        ("switching", "svhn-resnet18", "resnet18", 1000),
    ],
)
def test_the_paper_s_scale_is_what_is_known_of_it(name, key, model, epochs):
    spec = study_spec(name, key, "paper")
    assert (spec.model.name, spec.train.epochs, spec.train.batch_size) == (model, epochs, 128)
    optimizer, schedule = spec.train.optimizer, spec.train.lr_schedule
    assert (optimizer.lr, optimizer.momentum, optimizer.weight_decay) == (0.1, 0.9, 1e-4)
    assert (schedule.milestones, schedule.gamma) == ((100, 150), 0.1)
    mixup = next(condition for condition in spec.compare if condition.recipe_name == "Mixup")
    assert mixup.recipe_parameters == {"alpha": 1.0}


def test_the_thirty_percent_are_balanced():
    spec = study_spec("over-training", "cifar10-30-resnet18", "paper")
    assert (spec.data.train_size, spec.data.balanced) == (15_000, True)


def test_data_size_compares_as_many_steps():
    # Whole batches in an epoch, times epochs.
    for key, scale in (("digits-mlp", "laptop"), ("mnist1d-mlp", "laptop"), ("cifar10-resnet18", "paper")):
        spec, steps = study_spec("data-size", key, scale), {}
        for condition in spec.compare:
            data, _, train = condition_parts(spec, condition)
            steps[condition.name] = train.epochs * (data.train_size // train.batch_size)
        longest = [name for name in steps if name.startswith("Mixup") and name.endswith("epochs")]
        whole = max(steps.values())
        assert longest
        assert all(steps[name] == pytest.approx(whole, rel=0.01) for name in longest)


def test_a_scale_that_an_experiment_has_not_is_refused():
    with pytest.raises(ConfigError, match=r"^scale = 'gpu': mse has smoke, laptop, paper$"):
        experiment("mse").at("gpu")


def test_the_gpu_s_scale_is_sized_for_minutes():
    for entry in EXPERIMENTS:
        for setting in entry.gpu:
            spec = study_spec(entry.name, setting.key, "gpu")
            images = sum(
                train.epochs * data.train_size for data, _, train in (condition_parts(spec, c) for c in spec.compare)
            )
            assert images * len(spec.seed_list) == 7_200_000
