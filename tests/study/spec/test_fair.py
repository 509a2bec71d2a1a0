"""A fair comparison: as many trials for every arm, on seeds of their own, and roles as if nothing had been tuned."""

import pytest

from overmix.errors import ConfigError
from overmix.study import fair_study, fair_trials, parse_study, resolved
from overmix.study.spec.fair import TRIAL_SEEDS, TunedSetting, arms_of, tuned_arm, untuned
from overmix.study.spec.overrides import condition_parts
from overmix.study.spec.roles import roles_of

STUDY = {"data": {"val_size": 50}, "train": {"epochs": 100}, "compare": [{"recipe": {"CutMix": {"alpha": 0.5}}}]}


@pytest.mark.parametrize(
    ("changes", "alpha"),
    [
        ({}, 0.5),
        ({"train": {"optimizer": {"weight_decay": 3e-4}}}, 0.5),
        ({"train": {"optimizer": {"name": "adamw", "weight_decay": 0.02}}}, 0.5),
        ({"compare": [{"recipe": "LISA"}]}, 2.0),
        ({"compare": [{"recipe": {"OneOf": ["Mixup", "CutMix"]}}]}, None),
    ],
)
def test_every_arm_has_as_many_trials_and_the_studys_own_setting_is_one_of_them(changes, alpha):
    spec = parse_study({**STUDY, **changes})
    arms = arms_of(spec)
    assert [arm.name.partition(" → ")[0] for arm in arms] == ["ERM", *3 * [spec.compare[0].recipe_name]]
    assert {len(set(arm.settings)) for arm in arms} == {6}
    for arm in arms:
        assert arm.settings[0] == TunedSetting(spec.train.optimizer.weight_decay, None if arm.name == "ERM" else alpha)
    trials = fair_trials(spec)
    assert len(trials.compare) == 24
    assert trials.seed_list == list(TRIAL_SEEDS)
    assert not set(TRIAL_SEEDS) & set(spec.seed_list)
    assert resolved(parse_study(resolved(trials))) == resolved(trials)


def test_the_tuned_arms_are_compared_with_the_roles_that_they_have():
    spec = parse_study(STUDY)
    settings = [TunedSetting(0.005), TunedSetting(0.0, 0.2), TunedSetting(0.0005, 0.5), TunedSetting(0.0, 0.5)]
    tuned = [tuned_arm(arm, setting, 0.1) for arm, setting in zip(arms_of(spec), settings, strict=True)]
    fair = fair_study(spec, tuned)
    assert roles_of(fair) == ["erm", "mixup", "switched", "auto"]
    assert [condition_parts(fair, entry)[2].optimizer.weight_decay for entry in fair.compare] == [0.005, 0.0, 5e-4, 0.0]
    assert [entry.recipe_parameters.get("alpha") for entry in fair.compare] == [None, 0.2, 0.5, 0.5]
    assert fair.seed_list == spec.seed_list
    read = parse_study(resolved(fair))
    assert read.tuned == tuple(tuned)
    assert [(len(one.decays), one.alphas) for one in tuned] == [(6, ()), *3 * [(3, (0.2, 0.5))]]
    assert resolved(read) == resolved(fair)
    # Any other study is the one that it was.
    assert "tuned" not in resolved(spec)
    assert roles_of(fair.model_copy(update={"tuned": ()})) != roles_of(fair)


def test_what_the_study_has_of_its_own_is_kept_and_what_is_missing_is_made():
    alone = parse_study({**STUDY, "data": {"val_size": 0}})
    assert fair_trials(alone).data.val_size == 0.2
    assert [arm.schedule for arm in arms_of(alone)] == ["never", "always", {"off_at": 0.5}, "auto"]
    policy = {"auto": {"guess": 0.3}}
    entries = [{"name": "late", "schedule": {"off_at": 90}}, {"name": "by itself", "schedule": policy}]
    arms = arms_of(parse_study({**STUDY, "compare": entries}))
    assert [(arm.name, arm.schedule) for arm in arms[2:]] == [
        ("late", {"off_at": 90}),
        ("Mixup → ERM (auto)", policy),
    ]
    assert len(untuned(alone)) == 4


def test_a_study_that_does_not_mix_is_refused():
    with pytest.raises(ConfigError, match=r"^compare = 1: add a condition that mixes"):
        fair_trials(parse_study({**STUDY, "compare": [{"recipe": "NoMixup", "schedule": "never"}]}))
