"""Settings of policies: what each may be is declared, and anything else is refused as the policy is made."""

import math
from dataclasses import fields

import numpy as np
import pytest

from overmix.errors import ConfigError
from overmix.recipes import Mixup
from overmix.switch import Fade, HeldOut, Hesitation, LinearDecay, Phases, make_schedule, registered_policies
from overmix.switch.policies.baselines import Fixed, Patience

BAD = {
    float: ["0.5", None, True, [0.5], math.nan, -5.0, -math.inf],
    bool: [1, "yes", None],
    str: ["zz", None, 3, ["val"]],
    tuple: [0.5, (), "ab", ("a",), (math.nan,), (0.5, 0.2), (-0.1,), (True,), (0.2, 1.0)],
}
"""What cannot work, by the type of the default."""


@pytest.mark.parametrize("name", sorted(registered_policies()))
def test_every_setting_of_every_policy_is_checked(name):
    policy = registered_policies()[name]
    assert set(policy.allowed) == {field.name for field in fields(policy)}
    for field in fields(policy):
        assert policy.allowed[field.name].takes(field.default)
        for value in BAD[type(field.default)]:
            with pytest.raises(ConfigError, match=rf"^{field.name} = .*: use ") as raised:
                policy(**{field.name: value})
            assert raised.value.remedy == policy.allowed[field.name].remedy
    with pytest.raises(ConfigError, match=rf"^{name}.nothing = 1: unknown key"):
        make_schedule({name: {"nothing": 1}})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": {"patience": "0.5"}}, r"^patience = '0.5': use a number >= 0$"),
        ({"patience": {"signal": "zz"}}, r"^signal = 'zz': use one of score, error, cross_entropy, brier$"),
        ({"minimum": {"split": "zz"}}, r"^split = 'zz': use one of val, train$"),
        ({"clean_error": {"factor": 0.5}}, r"^factor = 0.5: use a number >= 1$"),
        ({"clean_margin": {"level": 1}}, r"^level = 1: use a margin in \(-1, 1\)$"),
        ({"near_floor": {"share": 1.0}}, r"^share = 1.0: use a share of the distance in \(0, 1\)$"),
        ({"inc_to_dec": {"threshold": 0}}, r"^threshold = 0: use a number in \(0, 1\]$"),
        ({"auto": {"wait": math.inf}}, r"^wait = inf: use a number >= 0$"),
        ({"auto": {"shares": [0.5, 0.5]}}, r"^shares = \(0.5, 0.5\): use increasing shares"),
    ],
)
def test_a_study_file_is_refused_before_anything_is_trained(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_schedule(settings)


def test_numbers_of_numpy_are_numbers():
    third = np.float32(1 / 3)
    policy = Patience(patience=np.int64(3))
    assert Fixed(third).share == LinearDecay(third, 1).start == HeldOut(policy, third).share == third
    with pytest.raises(ConfigError, match=r"^share = "):
        Fixed(np.True_)
    with pytest.raises(ConfigError, match=r"use a share below 1$"):
        Phases([(0, None), (np.float32(1), Mixup())])


@pytest.mark.parametrize("share", BAD[float])
def test_shares_of_schedules_are_numbers_too(share):
    for schedule in (Fixed, LinearDecay, Fade, Hesitation):
        with pytest.raises(ConfigError, match=r": use (a share|shares)"):
            schedule(share)
