import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import ConfigError
from overmix.explain.least_squares import least_squares
from overmix.explain.random_features import population_risk, risk, trajectory
from overmix.explain.risk_bound import clean_distance, risk_bound
from overmix.explain.stopping import best_stopping_time, mode_stopping_times

TIMES = np.geomspace(1.0, 1e7, 40)


@pytest.mark.parametrize(("m", "eta"), [(300, 0.1), (12, 0.1), (300, 1.0)])  # 12 samples of 30 features: singular
@pytest.mark.parametrize("rule", ["flow", "descent"])
def test_the_bound_is_never_violated(m, eta, rule, mixup_problem):
    problem, features, targets = mixup_problem(m=m)
    eta = min(eta, 0.99 / problem.eigenvalues[-1])
    times = np.round(TIMES)
    bound = risk_bound(problem, times, features, targets, eta=eta, init_std=0.1, rule=rule)
    actual = population_risk(problem, times, features, targets, eta=eta, init_std=0.1, rule=rule)
    assert np.isfinite(bound.total).all()
    assert np.all(actual <= bound.total)
    for seed in range(20):
        start = 0.1 * np.random.default_rng(seed).normal(size=30)
        assert np.all(
            risk(trajectory(problem, times, eta=eta, start=start, rule=rule), features, targets) <= bound.total
        )


def test_terms_of_the_bound_are_those_of_the_theorem(mixup_problem):
    problem, features, targets = mixup_problem()
    eta, xi = 0.1, 0.1
    bound = risk_bound(problem, TIMES, features, targets, eta=eta, init_std=xi)
    c1, c2 = 2 * (features**2).sum(1).max(), problem.noise_peak
    theta = problem.basis @ problem.clean_solution
    clean = np.mean((features @ theta - targets) ** 2)
    for i in (0, 20, 39):
        terms = [
            (
                (xi**2 + problem.clean_solution[k] ** 2) * np.exp(-2 * eta * mu * TIMES[i]),
                c2 / mu * (1 - np.exp(-eta * mu * TIMES[i])) ** 2,
            )
            for k, mu in enumerate(problem.eigenvalues)
        ]
        assert bound.decaying[i] == pytest.approx(c1 * sum(t[0] for t in terms), rel=1e-10)
        assert bound.growing[i] == pytest.approx(c1 * sum(t[1] for t in terms), rel=1e-8)
    zeta = sum(max(xi**2 + s**2, c2 / mu) for s, mu in zip(problem.clean_solution, problem.eigenvalues, strict=True))
    assert bound.constant == pytest.approx(2 * np.sqrt(c1 * clean * zeta), rel=1e-10)
    assert np.all(np.diff(bound.decaying) <= 0)
    assert np.all(np.diff(bound.growing) >= 0)


def test_noise_in_a_mode_is_bounded_by_its_eigenvalue_and_jointly(mixup_problem):
    problem, *_ = mixup_problem()
    shares = problem.eigenvalues * problem.noise_solution**2 / problem.noise_peak
    assert np.all(shares <= 1)
    assert shares.sum() <= 1


@given(st.integers(1, 8), st.floats(0.1, 5), st.floats(0, 1), st.integers(0, 2**31))
def test_labels_of_a_strongly_convex_truth_are_too_high(inputs, rho, lam, seed):
    """Z >= (rho/2) lam (1 - lam) ||x - x'||^2, with equality for the quadratic itself."""
    x, other = np.random.default_rng(seed).normal(size=(2, 50, inputs))
    mixed = lam * x + (1 - lam) * other
    least = rho / 2 * lam * (1 - lam) * ((x - other) ** 2).sum(1)

    def quadratic(z):
        return rho / 2 * (z**2).sum(1)

    def more_convex(z):
        return quadratic(z) + np.log(np.exp(z).sum(1)) + (z**4).sum(1)

    for truth in (quadratic, more_convex):
        noise = lam * truth(x) + (1 - lam) * truth(other) - truth(mixed)
        assert np.all(noise >= least - 1e-11 * (1 + np.abs(truth(x)) + np.abs(truth(other))))
        if truth is quadratic:
            np.testing.assert_allclose(noise, least, atol=1e-12 * rho * inputs * 20)


def test_without_noise_nothing_rises_and_nothing_turns():
    rng = np.random.default_rng(0)
    features, targets = np.tanh(rng.normal(size=(200, 30))), rng.normal(size=200)
    problem = least_squares(features, targets, noise=np.zeros(200))
    bound = risk_bound(problem, TIMES, features, targets, eta=0.1, init_std=0.1)
    assert not bound.growing.any()
    distance = clean_distance(problem, TIMES, eta=0.1, init_std=0.1)
    assert not distance.growing.any()
    assert np.all(np.diff(distance.total) <= 0)
    assert np.isinf(mode_stopping_times(problem, eta=0.1)).all()
    assert np.isinf(mode_stopping_times(problem, eta=0.1, kind="exact")).all()


def test_mixup_labels_of_a_linear_truth_carry_no_noise(mixup_problem):
    problem, *_ = mixup_problem(truth=lambda x: x @ np.arange(10.0))
    assert problem.noise_peak < 1e-26


def test_distance_to_the_clean_solution_agrees_with_sampled_starts(mixup_problem):
    problem, *_ = mixup_problem()
    times = np.array([0.0, 30.0, 1e3, 1e6])
    distance = clean_distance(problem, times, eta=0.1, init_std=0.2)
    clean = problem.basis @ problem.clean_solution
    rng = np.random.default_rng(0)
    sampled = np.array(
        [
            ((trajectory(problem, times, eta=0.1, start=0.2 * rng.normal(size=30), rule="flow") - clean) ** 2).sum(1)
            for _ in range(2000)
        ]
    )
    error = sampled.std(axis=0) / np.sqrt(len(sampled))
    assert np.all(np.abs(sampled.mean(axis=0) - distance.total) < 4 * error + 1e-9 * distance.total)


def test_a_singular_problem_has_a_finite_bound_and_null_modes_never_turn(mixup_problem):
    problem, features, targets = mixup_problem(m=12)
    bound = risk_bound(problem, np.array([0.0, 1.0, np.inf]), features, targets, eta=0.1, init_std=0.1)
    assert np.isfinite(bound.total).all()
    assert np.isinf(mode_stopping_times(problem, eta=0.1)[problem.null]).all()


def test_settings_that_cannot_work_are_named(mixup_problem):
    problem, features, targets = mixup_problem()
    limit = 1 / problem.eigenvalues[-1]
    with pytest.raises(ConfigError, match=f"{limit:.6g}"):
        risk_bound(problem, TIMES, features, targets, eta=1.5 * limit, rule="descent")
    with pytest.raises(ConfigError, match=f"{limit:.6g}"):
        mode_stopping_times(problem, eta=1.5 * limit, rule="descent")
    with pytest.raises(ConfigError, match="init_std"):
        clean_distance(problem, TIMES, eta=0.1, init_std=-0.1)
    with pytest.raises(ConfigError, match="last"):
        best_stopping_time(lambda t: t, last=np.inf)
    with pytest.raises(ConfigError, match="points"):
        best_stopping_time(lambda t: t, last=10.0, points=2)
