from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overmix.diagnose import Comparison, holm, paired_difference, paired_values
from overmix.errors import ConfigError, DataError


def test_paired_values_are_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=9), rng.normal(size=9)
    found, oracle = paired_values(a, b), stats.ttest_rel(a, b)
    assert found.difference == pytest.approx((a - b).mean(), abs=1e-15)
    assert found.p_value == pytest.approx(oracle.pvalue, rel=1e-10)
    assert found.ci == pytest.approx(tuple(oracle.confidence_interval(0.95)), rel=1e-10)
    assert found.n == 9


def test_one_sample_per_seed_is_the_paired_t_test_too() -> None:
    """With a table of one column only seeds vary, and the bootstrap must find the t interval."""
    rng = np.random.default_rng(1)
    a, b = rng.random((40, 1)) < 0.7, rng.random((40, 1)) < 0.3
    found, oracle = paired_difference(a, b, n_bootstrap=20_000), stats.ttest_rel(a[:, 0] * 1.0, b[:, 0] * 1.0)
    assert found.ci == pytest.approx(tuple(oracle.confidence_interval(0.95)), abs=0.01)


def test_identical_seeds_leave_the_binomial_law_of_the_samples() -> None:
    """With seeds that agree only the samples vary: the error of McNemar's difference."""
    rng = np.random.default_rng(2)
    a, b = np.tile(rng.random(500) < 0.2, (8, 1)), np.tile(rng.random(500) < 0.1, (8, 1))
    found = paired_difference(a, b, n_bootstrap=20_000)
    d = a[0].astype(float) - b[0]
    reach = 1.96 * d.std() / 500**0.5
    assert found.ci == pytest.approx((d.mean() - reach, d.mean() + reach), abs=0.03 * reach)


def test_difference_is_antisymmetric() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.random((6, 50)) < 0.4).astype(np.uint8), (rng.random((6, 50)) < 0.3).astype(np.uint8)
    forward, backward = paired_difference(a, b), paired_difference(b, a)
    assert forward.swapped().difference == pytest.approx(backward.difference)
    assert forward.swapped().ci == pytest.approx(backward.ci)
    assert forward.p_value == pytest.approx(backward.p_value)


@given(st.integers(2, 8), st.integers(2, 40), st.integers(0, 1000))
def test_p_value_agrees_with_the_interval(n_seeds: int, n_samples: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((n_seeds, n_samples)) < 0.5, rng.random((n_seeds, n_samples)) < 0.3
    found = paired_difference(a, b, n_bootstrap=100)
    assert found.ci is not None
    assert found.p_value is not None
    assert (found.p_value < 0.05) == (found.ci[0] > 0 or found.ci[1] < 0)


def test_one_seed_has_no_interval() -> None:
    wrong = np.array([[1, 0, 1, 1]], dtype=np.uint8)
    assert paired_difference(wrong, 0 * wrong) == Comparison(0.75, None, None, 1)
    assert paired_values(np.array([0.3]), np.array([0.25])) == Comparison(pytest.approx(0.05), None, None, 1)


def test_no_difference_at_all() -> None:
    wrong = np.ones((3, 5), dtype=np.uint8)
    assert paired_difference(wrong, wrong) == Comparison(0.0, (0.0, 0.0), 1.0, 3)
    assert paired_values(np.ones(3), np.zeros(3)).p_value == 0.0


def test_same_input_gives_the_same_comparison() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((5, 60)) < 0.4, rng.random((5, 60)) < 0.3
    assert paired_difference(a, b, seed=3) == paired_difference(a, b, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [3, 6, 16])
def test_interval_covers_the_truth_as_often_as_it_says(n_seeds: int) -> None:
    """Seed, sample and entry effects, both conditions on the same hard samples; the truth is 0.08 by construction."""
    rng = np.random.default_rng(n_seeds)
    n_trials, covered, false_alarms = 600, 0, 0
    for _ in range(n_trials):
        hard = rng.normal(size=(1, 150))
        # Marginally both latents are normal with variance 1 + 0.25 + 0.01, so the error rates are exact.
        scale = (1 + 0.25 + 0.01) ** 0.5
        tables = {}
        for name, rate in (("a", 0.26), ("b", 0.18), ("c", 0.18)):
            own = 0.5 * rng.normal(size=(1, 150))
            seeds = 0.1 * rng.normal(size=(n_seeds, 1))
            shared = 0.8 * hard + 0.6 * rng.normal(size=(n_seeds, 150))
            tables[name] = shared + own + seeds < scale * stats.norm.ppf(rate)
        found = paired_difference(tables["a"], tables["b"], n_bootstrap=300)
        null = paired_difference(tables["b"], tables["c"], n_bootstrap=300)
        assert found.ci is not None
        assert null.p_value is not None
        covered += found.ci[0] <= 0.08 <= found.ci[1]
        false_alarms += null.p_value < 0.05
    # One in 1,000 tests of an exact method would fail either bound.
    assert stats.binom.ppf(0.001, n_trials, 0.95) <= covered
    assert false_alarms <= stats.binom.ppf(0.999, n_trials, 0.05)


p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=7)


@pytest.mark.parametrize("looks", [1, 2, 8])
def test_one_of_several_has_the_interval_of_the_higher_level(looks: int) -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 7))
    found, direct = paired_values(a, b).as_one_of(looks), paired_values(a, b, level=1 - 0.05 / looks)
    assert found.ci == pytest.approx(direct.ci)
    assert direct.p_value is not None
    assert found.p_value == pytest.approx(min(1.0, looks * direct.p_value))
    assert (found.difference, found.n, found.level) == (direct.difference, 7, 0.95)


def test_the_best_of_several_is_a_false_alarm_as_rarely_as_one() -> None:
    rng, alarms, plain = np.random.default_rng(1), 0, 0
    for _ in range(400):
        reference, candidates = rng.normal(size=6), rng.normal(size=(8, 6))
        best = min(candidates, key=lambda values: float(values.mean()))
        found = paired_values(best, reference)
        plain += found.ci is not None and found.ci[1] < 0
        corrected = found.as_one_of(8).ci
        alarms += corrected is not None and corrected[1] < 0
    assert plain > 25  # without the correction it is one in eleven, not one in forty
    assert alarms <= 10  # at most one in forty on this side


def test_one_of_none_is_refused_and_one_seed_stays_as_it_is() -> None:
    single = paired_values(np.ones(1), np.zeros(1))
    assert single.as_one_of(5) == single
    with pytest.raises(ConfigError, match="looks = 0"):
        single.as_one_of(0)


@given(p_lists)
def test_holm_is_the_closure_of_bonferroni(p_values: list[float]) -> None:
    """A hypothesis is rejected if every set that holds it is rejected by Bonferroni's test."""
    m = len(p_values)
    sets = [s for size in range(1, m + 1) for s in combinations(range(m), size)]
    bonferroni = {s: min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets}
    oracle = [max(p for s, p in bonferroni.items() if i in s) for i in range(m)]
    assert holm(p_values) == pytest.approx(oracle)


def test_holm_leaves_missing_values_out() -> None:
    assert holm([0.01, None, 0.04]) == [0.02, None, 0.04]
    assert holm([]) == []


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_holm_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(ConfigError, match="p_values"):
        holm([0.5, p])


WRONG = np.zeros((2, 3), dtype=np.uint8)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (WRONG, np.zeros((2, 4), dtype=np.uint8), "pair the seeds"),
        (WRONG.astype(float), WRONG, "dtype float64"),
        (WRONG + 2, WRONG, "value 2"),
        (WRONG[0], WRONG, r"give \(seeds, samples\)"),
        (WRONG[:0], WRONG[:0], "no seeds"),
    ],
)
def test_tables_that_cannot_be_compared(a: np.ndarray, b: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        paired_difference(a, b)


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.ones(2), np.ones(3), "paired seed"),
        (np.ones(0), np.ones(0), "paired seed"),
        (np.ones(2), np.array([1.0, np.nan]), r"values_b\[1\] = nan"),
    ],
)
def test_values_that_cannot_be_compared(a: np.ndarray, b: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        paired_values(a, b)


def test_settings_out_of_range() -> None:
    with pytest.raises(ConfigError, match="level = 95"):
        paired_values(np.ones(2), np.ones(2), level=95)
    with pytest.raises(ConfigError, match="n_bootstrap = 10"):
        paired_difference(WRONG, WRONG, n_bootstrap=10)
