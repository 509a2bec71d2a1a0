import math
from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta as beta_law

from overmix.errors import ConfigError, DataError
from overmix.explain.floor import (
    different_class_probability,
    loss_floor,
    mean_entropy,
    mean_product,
    sample_floor,
)


def all_pairs_floor(labels, draws):
    """Cross-entropy of the best predictor over all ordered pairs, label by label: an oracle without the closed form."""
    pairs_that_differ = np.mean(labels[:, None] != labels[None, :])
    entropy = -(draws * np.log(draws) + (1 - draws) * np.log(1 - draws))
    return pairs_that_differ * entropy.mean()


@pytest.mark.parametrize(("num_classes", "exact"), [(2, 0.25), (10, 0.45), (100, 0.495)])
def test_monte_carlo_over_all_ordered_pairs_meets_the_balanced_uniform_floor(num_classes, exact):
    draws = np.random.default_rng(0).uniform(size=200_000)
    sampled = all_pairs_floor(np.repeat(np.arange(num_classes), 20), draws)
    assert loss_floor(num_classes=num_classes) == pytest.approx(exact, abs=1e-12)
    assert sampled == pytest.approx(exact, abs=1e-3)  # 2e5 draws of h, whose standard deviation is 0.18: error 4e-4


@pytest.mark.parametrize(
    ("alpha", "value"), [(0.2, 0.227655), (0.4, 0.346376), (1.0, 0.5), (2.0, 0.583333), (8.0, 0.662872)]
)
def test_mean_entropy_of_the_beta_law_at_known_values(alpha, value):
    assert mean_entropy(alpha) == pytest.approx(value, abs=5e-7)


@given(st.floats(0.05, 50))
def test_mean_entropy_agrees_with_numerical_integration(alpha):
    def integrand(u):
        return -2 * u * math.log(u) * beta_law.pdf(u, alpha, alpha) if u > 0 else 0.0  # h is symmetric

    integral, error = quad(integrand, 0, 1, limit=500, points=[1e-6, 0.5, 1 - 1e-6])
    assert mean_entropy(alpha) == pytest.approx(integral, abs=max(1e-7, 10 * error))


def test_limits_of_alpha():
    assert loss_floor(num_classes=10, alpha=0.0) == 0.0
    assert loss_floor(num_classes=10, alpha=math.inf) == pytest.approx(0.9 * math.log(2))
    assert loss_floor(num_classes=10, alpha=1e14) == pytest.approx(0.9 * math.log(2))
    assert loss_floor(num_classes=10, alpha=math.inf) == pytest.approx(loss_floor(num_classes=10, lam=0.5))
    assert loss_floor(num_classes=10, alpha=1e-9) == pytest.approx(0.9 * 1e-9 * math.pi**2 / 6, rel=1e-6)


def test_in_batch_permutation_of_a_known_training_set():
    floor = loss_floor(num_classes=10, batch_size=128, num_samples=50_000)
    assert floor == pytest.approx(0.446493, abs=5e-7)


def test_in_batch_permutation_agrees_with_simulated_batches():
    counts, batch_size = [5, 3, 1], 4
    labels = np.repeat(np.arange(3), counts)
    rng = np.random.default_rng(1)
    differ = []
    for _ in range(40_000):
        batch = rng.permutation(labels)[:batch_size]
        differ.append(np.mean(batch != rng.permutation(batch)))
    error = np.std(differ) / math.sqrt(len(differ))
    assert abs(np.mean(differ) - different_class_probability(counts, batch_size=batch_size)) < 4 * error


def test_a_shifted_batch_never_meets_itself():
    labels = np.array([0, 0, 0, 1, 1])
    off_diagonal = ~np.eye(5, dtype=bool)
    share = np.mean((labels[:, None] != labels[None, :])[off_diagonal])
    assert different_class_probability([3, 2], batch_size=math.inf) == pytest.approx(share)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6).filter(sum), st.floats(0, 20))
def test_floor_is_the_product_of_pairs_and_entropy(counts, alpha):
    labels = np.repeat(np.arange(len(counts)), counts)
    pairs = np.mean(labels[:, None] != labels[None, :])
    assert loss_floor(counts, alpha=alpha) == pytest.approx(pairs * mean_entropy(alpha), abs=1e-12)


def test_class_shares_and_class_counts_agree():
    assert loss_floor([0.5, 0.3, 0.2], alpha=0.4) == pytest.approx(loss_floor([50, 30, 20], alpha=0.4), abs=1e-15)


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(
            *[st.lists(st.integers(0, 3), min_size=n, max_size=n)] * 2,
            st.lists(st.floats(0, 1), min_size=n, max_size=n),
        )
    )
)
def test_sample_floor_is_the_cross_entropy_of_the_soft_labels_themselves(mixtures):
    a, b, lam = (np.array(part) for part in mixtures)
    soft = lam[:, None] * np.eye(4)[a] + (1 - lam)[:, None] * np.eye(4)[b]
    oracle = -np.sum(np.where(soft > 0, soft * np.log(np.where(soft > 0, soft, 1)), 0), axis=1).mean()
    assert sample_floor(a, b, lam) == pytest.approx(oracle, abs=1e-12)


def test_mixed_squared_error_cannot_fall_below_its_floor():
    rng = np.random.default_rng(2)
    labels, n = np.repeat(np.arange(3), [5, 3, 2]), 10
    one_hot = np.eye(3)[labels]
    lam = rng.beta(0.7, 0.7, size=20_000)
    i, j = rng.integers(n, size=(2, lam.size))
    best = lam[:, None] * one_hot[i] + (1 - lam)[:, None] * one_hot[j]  # the minimiser of each mixture's own loss
    loss = lam * np.sum((best - one_hot[i]) ** 2, 1) + (1 - lam) * np.sum((best - one_hot[j]) ** 2, 1)
    floor = loss_floor([5, 3, 2], alpha=0.7, loss="squared_error_mixed")
    assert abs(loss.mean() - floor) < 4 * loss.std() / math.sqrt(lam.size)
    assert loss_floor([5, 3, 2], loss="squared_error") == 0.0


@pytest.mark.parametrize(("alpha", "value"), [(0.2, 0.0714286), (1.0, 0.1666667), (5.0, 0.2272727), (math.inf, 0.25)])
def test_mean_product_of_the_two_weights(alpha, value):
    assert mean_product(alpha) == pytest.approx(value, abs=5e-8)


def test_weights_in_place_of_the_beta_law():
    draws = [0.0, 0.5, 1.0]
    assert loss_floor(num_classes=2, lam=draws) == pytest.approx(0.5 * math.log(2) / 3)
    assert loss_floor(num_classes=2, lam=0.3, loss="squared_error_mixed") == pytest.approx(0.5 * 2 * 0.21)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "num_classes"),
        ({"num_classes": 0}, "num_classes"),
        ({"num_classes": 3, "counts": [1, 2]}, "num_classes"),
        ({"counts": [0, 0]}, "counts"),
        ({"counts": [1, -1]}, "counts"),
        ({"counts": [1, math.nan]}, "counts"),
        ({"num_classes": 3, "alpha": -0.1}, "alpha"),
        ({"num_classes": 3, "alpha": math.nan}, "alpha"),
        ({"num_classes": 3, "lam": 1.5}, "lam"),
        ({"num_classes": 3, "lam": []}, "lam"),
        ({"num_classes": 3, "batch_size": 8}, "num_samples"),
        ({"counts": [0.5, 0.5], "batch_size": 8}, "num_samples"),
        ({"counts": [1], "batch_size": 1}, "num_samples"),
        ({"counts": [5, 5], "batch_size": 11}, "batch_size"),
        ({"counts": [5, 5], "batch_size": 0}, "batch_size"),
        ({"counts": [5, 5], "batch_size": 1.5}, "batch_size"),
        ({"num_classes": 2.5}, "num_classes"),
        ({"num_classes": math.nan}, "num_classes"),
        ({"num_classes": math.inf}, "num_classes"),
        ({"num_classes": 2, "batch_size": 2, "num_samples": 8.5}, "num_samples"),
        ({"counts": [5, 5], "batch_size": 2, "num_samples": 11}, "num_samples"),
    ],
)
def test_settings_that_cannot_work_are_named(arguments, field):
    with pytest.raises(ConfigError) as error:
        loss_floor(**arguments)
    assert error.value.field == field


def test_an_empty_sample_has_no_floor():
    with pytest.raises(DataError, match="no mixtures"):
        sample_floor(np.array([], dtype=int), np.array([], dtype=int), np.array([]))


def test_mixtures_of_unequal_number_have_no_floor():
    with pytest.raises(DataError, match=r"labels \(2,\) and \(1,\), weights \(2,\): give one of each per mixture"):
        unwrap(sample_floor)(np.array([0, 1]), np.array([1]), np.array([0.5, 0.5]))  # without the shapes of the tests
