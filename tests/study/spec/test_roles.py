import pytest

from overmix.study import parse_study
from overmix.study.spec.roles import role_of, roles_of, switch_epoch_of


@pytest.mark.parametrize(
    ("entry", "role", "switch"),
    [
        ({"recipe": "NoMixup"}, "erm", 20),
        ({"recipe": "NoMixup", "schedule": {"off_at": 5}}, "erm", 5),
        ({"schedule": "never"}, "erm", 0),
        ({"recipe": {"Mixup": {"alpha": 0}}}, "erm", 20),
        ({"recipe": {"Mixup": {"alpha": 0.0}}}, "erm", 20),
        ({"schedule": {"off_at": 0}}, "erm", 0),
        ({"schedule": {"off_at": 0.01}}, "erm", 0),
        ({}, "mixup", 20),
        ({"recipe": {"Mixup": {"alpha": 0.2}}}, "mixup", 20),
        ({"schedule": {"off_at": 20}}, "mixup", 20),
        ({"schedule": {"off_at": 1.0}}, "mixup", 20),
        ({"schedule": {"off_at": 19}}, "switched", 19),
        ({"schedule": {"off_at": 0.5}}, "switched", 10),
        ({"schedule": {"auto": {"holdout": 0.2}}}, "auto", None),
        ({"schedule": "linear_decay"}, "other", None),
        ({"train": {"epochs": 30}}, "other", 20),
        ({"train": {"optimizer": {"weight_decay": 0.1}}}, "other", 20),
        ({"model": {"hidden": [3]}}, "other", 20),
        ({"data": {"train_size": 100}}, "other", 20),
        # Writing out what the study says anyway sets nothing apart.
        ({"train": {"epochs": 20}, "recipe": "NoMixup"}, "erm", 20),
    ],
)
def test_roles(entry, role, switch):
    spec = parse_study({"train": {"epochs": 20}, "compare": [entry]})
    assert role_of(spec.compare[0], spec) == role
    assert switch_epoch_of(spec.compare[0], 20) == switch


LONGER = {"train": {"epochs": 30}}


@pytest.mark.parametrize(
    ("compare", "roles"),
    [
        ([{"name": "a"}, {"name": "b", **LONGER}], ["mixup", "other"]),
        # Every condition overrides the study: the first one's setting is the one that is judged.
        ([{"name": "a", **LONGER}, {"name": "b", "recipe": "NoMixup", **LONGER}], ["mixup", "erm"]),
        (
            [
                {"name": "a", **LONGER},
                {"name": "b", "train": {"epochs": 40}},
                {"name": "c", "schedule": {"off_at": 25}, **LONGER},
            ],
            ["mixup", "other", "switched"],
        ),
    ],
)
def test_roles_where_conditions_override_the_study(compare, roles):
    assert roles_of(parse_study({"train": {"epochs": 20}, "compare": compare})) == roles
