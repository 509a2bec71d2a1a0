import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from overmix.experiments.reproduce.check import Check, claim_verdict, judge_claims, states


def check(value, low, high, side="above", bound=0.0, n=16):
    return Check("number", value, (low, high), side, bound, n=n)


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (check(1.0, 0.5, 1.5), "yes"),
        (check(1.0, -0.1, 2.1), "undecided"),
        (check(-1.0, -1.5, -0.5), "no"),
        (check(-1.0, -1.5, -0.5, "below"), "yes"),
        (check(1.0, 0.5, 1.5, "below"), "no"),
        (check(1.0, 0.5, 1.5, bound=0.6), "undecided"),
        (check(1.0, 1.0, 1.0), "yes"),
        (check(0.0, 0.0, 0.0), "undecided"),
        (Check("one seed", 1.0, None, "above", 0.0), "undecided"),
        (Check("exact", 1.0, None, "above", 0.0, exact=True), "yes"),
        (Check("exact", 1.0, None, "below", 0.0, exact=True), "no"),
    ],
)
def test_a_number_against_its_bound(number, state):
    assert states([number]) == [state]


def test_the_half_of_an_askew_interval_that_looks_at_the_bound_decides():
    assert states([check(1.0, 0.01, 1.1)]) == ["yes"]
    assert states([check(1.0, -0.01, 1.1)]) == ["undecided"]
    assert states([check(1.0, 0.9, 9.0)]) == ["yes"]


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=20, unique=True), st.floats(-1, 1))
def test_the_p_value_of_a_t_interval_is_that_of_the_t_test(values, bound):
    mean, se = np.mean(values), stats.sem(values)
    assume(se > 1e-6)
    half = se * stats.t.ppf(0.975, len(values) - 1)
    mine = check(mean, mean - half, mean + half, bound=bound, n=len(values)).p_value
    assert mine == pytest.approx(stats.ttest_1samp(values, bound, alternative="greater").pvalue, rel=1e-6, abs=1e-12)


def test_few_seeds_decide_nothing_either_way_but_what_is_exact_has_none():
    assert states([check(1.0, 0.9, 1.1, n=4), check(-1.0, -1.1, -0.9, n=4)]) == ["undecided", "undecided"]
    assert states([check(1.0, 0.9, 1.1, n=5), check(-1.0, -1.1, -0.9, n=5)]) == ["yes", "no"]
    assert states([Check("exact", 1.0, None, "above", 0.0, n=3, exact=True)]) == ["yes"]


def test_many_checks_are_corrected_together():
    barely = check(1.0, 0.05, 1.95)
    assert states([barely]) == ["yes"]
    assert states([barely, check(0.1, -1, 1.2)]) == ["undecided", "undecided"]
    sure = check(1.0, 0.8, 1.2)
    assert states([sure] * 5 + [barely]) == ["yes"] * 6


def test_one_failed_check_refutes_a_claim_and_one_open_check_leaves_it_open():
    assert claim_verdict(["yes", "no"]) == "not confirmed"
    assert claim_verdict(["undecided", "no"]) == "not confirmed"
    assert claim_verdict(["yes", "undecided"]) == "undecided"
    assert claim_verdict(["yes"]) == "confirmed"
    assert claim_verdict([]) == "out of reach here"


def test_judging_is_a_pure_function_of_what_json_holds():
    yes, no = check(1.0, 0.5, 1.5), check(-1.0, -1.5, -0.5)
    settings = [
        {"key": "a", "checks": {"u": [yes.to_dict(), yes.to_dict()], "later": [no.to_dict()]}},
        {"key": "b", "checks": {"u": [yes.to_dict(), no.to_dict()]}},
    ]
    assert [(row["claim"], row["setting"], row["verdict"]) for row in judge_claims(settings)] == [
        ("u", "a", "confirmed"),
        ("later", "a", "not confirmed"),
        ("u", "b", "not confirmed"),
    ]
    assert judge_claims(settings)[2]["states"] == ["yes", "no"]


def test_a_check_survives_json():
    depth = Check("depth", 0.03, (0.02, 0.04), "above", 0.005, "points", 16)
    assert Check.from_dict(depth.to_dict()) == depth
