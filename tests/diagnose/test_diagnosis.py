from __future__ import annotations

import json
from dataclasses import replace

import pytest

from overmix.diagnose import Diagnosis, more_seeds
from overmix.diagnose.practical import practical_size, verdict_of

UNDECIDED = Diagnosis(
    verdict="undecided",
    turning_epoch=128,
    turning_epoch_ci=(64.0, 256.0),
    best=0.07,
    best_ci=(0.06, 0.08),
    final=0.083,
    final_ci=(0.07, 0.09),
    depth=0.013,
    depth_ci=(0.003, 0.023),
    delta=0.005,
    n_seeds=8,
    n_epochs=60,
    n_samples=1000,
    seed_share=1.0,
)


@pytest.mark.parametrize(
    ("ci", "verdict"),
    [
        ((0.0051, 0.1), "u-shaped"),
        ((0.005, 0.1), "undecided"),
        ((-0.1, 0.005), "undecided"),
        ((-0.1, 0.0049), "monotone"),
        ((0.001, 0.002), "monotone"),
    ],
)
def test_verdict_holds_the_interval_against_delta(ci: tuple[float, float], verdict: str) -> None:
    assert verdict_of(ci, 0.005) == verdict


def test_practical_size_of_rates_has_a_floor() -> None:
    assert practical_size(0.01) == 0.005
    assert practical_size(0.4) == pytest.approx(0.02)
    assert practical_size(1.0, "percent") == 0.5
    assert practical_size(0.01, "value") == pytest.approx(0.0005)
    assert practical_size(-2.0, "value") == pytest.approx(0.1)


def test_more_seeds_follow_from_the_square_root_law() -> None:
    # Half-width 0.010 must become the gap 0.008: (10 / 8)² · 8 seeds = 12.5.
    assert more_seeds(UNDECIDED) == 5
    assert more_seeds(replace(UNDECIDED, depth=0.001, depth_ci=(-0.007, 0.009))) == 8 * 4 - 8


@pytest.mark.parametrize(
    "untold",
    [
        {"seed_share": 0.2},  # the test samples alone keep the interval wider than the gap
        {"depth": 0.0051},  # the depth is at delta: hundreds of seeds
        {"depth": 0.005},
        {"seed_share": None},
        {"depth_ci": None},
    ],
)
def test_more_seeds_cannot_always_be_told(untold: dict[str, float]) -> None:
    assert more_seeds(replace(UNDECIDED, **untold)) is None


def test_few_seeds_need_five_and_decided_ones_none() -> None:
    assert more_seeds(replace(UNDECIDED, n_seeds=1)) == 4
    assert more_seeds(replace(UNDECIDED, n_seeds=4)) == 1
    assert more_seeds(replace(UNDECIDED, verdict="monotone")) == 0


def test_advice_says_what_was_seen_and_what_to_do() -> None:
    turned = replace(UNDECIDED, verdict="u-shaped")
    assert turned.advice.startswith("U-shaped: best near epoch 128 (64 to 256), 1.3 points worse at the end. If Mixup")
    loss = replace(turned, turning_epoch_ci=None, unit="value")
    assert loss.advice.startswith("U-shaped: best near epoch 128, 0.013 worse at the end.")
    assert "within 0.5 points" in replace(UNDECIDED, verdict="monotone").advice
    assert "between +0.3 points and +2.3 points worse" in UNDECIDED.advice
    assert "about 5 more seeds would tell" in UNDECIDED.advice
    assert "more seeds alone would not tell" in replace(UNDECIDED, seed_share=0.1).advice
    assert "0.5 points would matter, more seeds would help" in replace(UNDECIDED, seed_share=None).advice
    assert replace(UNDECIDED, depth_ci=None, reason="Log more.").advice == "Undecided: Log more."


def test_what_noise_may_have_made_gives_its_p_value() -> None:
    """The depth exceeds what matters, and yet nothing is decided: the sentence says why."""
    one = replace(
        UNDECIDED,
        n_seeds=1,
        method="curve",
        seed_share=None,
        depth=0.1,
        depth_ci=(0.026, 0.18),
        delta=0.009,
        p_value=0.064,
    )
    assert one.advice.startswith(
        "Undecided: the end is 10 points worse than the best (+2.6 points to +18 points), more than the 0.9 points "
        "that would matter, but noise alone may look like that (p = 0.064, less than 0.04 is asked); five seeds or more"
    )


def test_numbers_that_are_compared_look_different() -> None:
    near = replace(UNDECIDED, method="curve", depth=0.0050049, delta=0.005, p_value=81 / 2001)
    assert "the end is 0.5005 points worse" in near.advice
    assert "more than the 0.5 points that would matter" in near.advice
    assert "(p = 0.0405, less than 0.04 is asked)" in near.advice


def test_dictionary_is_json_and_keeps_every_attribute() -> None:
    plain = json.loads(json.dumps(UNDECIDED.to_dict()))
    assert plain["depth_ci"] == [0.003, 0.023]
    assert plain["verdict"] == "undecided"
    assert plain["advice"] == UNDECIDED.advice
    assert set(Diagnosis.__dataclass_fields__) < set(plain)


@pytest.mark.parametrize(
    ("delta", "unit", "written"),
    [
        (0.01, "fraction", "1 point of"),
        (1.0, "percent", "1 point of"),
        (0.011, "fraction", "1.1 points of"),
        (0.005, "fraction", "0.5 points of"),
    ],
)
def test_one_point_is_singular(delta, unit, written):
    assert f"within {written} the best" in replace(UNDECIDED, verdict="monotone", delta=delta, unit=unit).advice
