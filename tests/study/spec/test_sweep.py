import pytest

from overmix.errors import ConfigError
from overmix.study import parse_study, resolved, sweep_study
from overmix.study.spec.roles import role_of

STUDY = {"data": {"val_size": 50}, "train": {"epochs": 100}, "compare": [{"recipe": {"CutMix": {"alpha": 0.5}}}]}


def test_the_grid_its_ends_and_the_alternatives():
    spec = sweep_study(parse_study(STUDY))
    roles = {condition.name: role_of(condition, spec) for condition in spec.compare}
    assert roles["ERM"] == "erm"
    assert roles["CutMix"] == "mixup"
    switched = [c.schedule["off_at"] for c in spec.compare if roles[c.name] == "switched"]
    assert switched == [3, 6, 12, 19, 25, 38, 50, 75]
    assert roles["CutMix → ERM (auto)"] == "auto"
    assert [name for name, role in roles.items() if role == "other"] == [
        "ERM, weight decay 0.005", "CutMix, weight decay 0.005",
        "CutMix, averaged weights", "CutMix, 50 epochs",
    ]  # fmt: skip
    assert all(c.recipe == {"CutMix": {"alpha": 0.5}} for c in spec.compare if "CutMix" in c.name)


def test_what_it_makes_is_a_study_that_can_be_written_and_read():
    spec = sweep_study(parse_study(STUDY))
    assert resolved(parse_study(resolved(spec))) == resolved(spec)


def test_without_held_out_samples_a_part_of_the_training_samples_decides():
    spec = sweep_study(parse_study({**STUDY, "data": {"val_size": 0}}))
    assert [c.schedule for c in spec.compare if "auto" in c.name] == [{"auto": {"holdout": 0.2}}]
    assert resolved(parse_study(resolved(spec))) == resolved(spec)


def test_a_short_training_has_no_switch_twice():
    spec = sweep_study(parse_study({**STUDY, "train": {"epochs": 4}}))
    assert [c.schedule["off_at"] for c in spec.compare if "@" in c.name] == [1, 2, 3]


def test_a_study_that_does_not_mix_is_refused():
    with pytest.raises(ConfigError, match=r"^compare = 1: add a condition that mixes"):
        sweep_study(parse_study({**STUDY, "compare": [{"recipe": "NoMixup", "schedule": "never"}]}))
