from inspect import unwrap

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overmix.errors import ConfigError, DataError
from overmix.explain.least_squares import least_squares
from overmix.explain.random_features import population_risk, propagators, risk, training_risk, trajectory


def tanh_problem(m=300, d=30, inputs=10, seed=0):
    """Tanh random features of Gaussian inputs, with labels that no student can represent."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(inputs, d)) / np.sqrt(inputs)
    x = rng.normal(size=(m + 200, inputs))
    features, labels = np.tanh(x @ weights), np.sin(x.sum(1)) + x[:, 0] ** 2
    return features[:m], labels[:m], features[m:], labels[m:], rng.normal(size=d)


def descend(features, targets, start, eta, times):
    """Gradient descent, step by step, on the samples themselves."""
    theta, kept = start.copy(), []
    for step in range(int(max(times)) + 1):
        if step in times:
            kept.append(theta.copy())
        theta -= eta * (features.T @ (features @ theta - targets)) / len(features)
    return np.array(kept)


@pytest.mark.parametrize("m", [300, 12])  # 12 samples of 30 features: singular
def test_descent_agrees_with_gradient_descent_step_by_step(m):
    features, targets, test_features, test_targets, start = tanh_problem(m=m)
    times = np.array([0.0, 1.0, 2.0, 17.0, 100.0, 1000.0, 9999.0, 10_000.0])
    problem = least_squares(features, targets)
    eta = 0.9 * problem.largest_stable_eta
    exact = trajectory(problem, times, eta=eta, start=start)
    stepped = descend(features, targets, start, eta, set(times))
    np.testing.assert_allclose(exact, stepped, rtol=1e-8, atol=1e-8 * np.abs(stepped).max())
    np.testing.assert_allclose(
        risk(exact, test_features, test_targets), risk(stepped, test_features, test_targets), rtol=1e-8
    )
    direct = np.mean((features @ stepped.T - targets[:, None]) ** 2, axis=0)
    np.testing.assert_allclose(training_risk(problem, exact), direct, rtol=1e-8, atol=1e-13)


def test_flow_agrees_with_small_euler_steps():
    features, targets, _, _, start = tanh_problem(m=300, d=30)
    eta, dt, end = 0.1, 0.001, 50.0
    theta = start.copy()
    for _ in range(round(end / dt)):
        theta -= dt * eta * (features.T @ (features @ theta - targets)) / len(features)
    exact = trajectory(least_squares(features, targets), np.array([end]), eta=eta, start=start, rule="flow")
    assert np.abs(exact[0] - theta).max() < 1e-5  # the error of Euler's rule, first order in dt


def test_one_mode_agrees_with_its_recursion():
    mu, b, start, eta = 0.7, 0.4, -1.3, 1.9
    problem = least_squares(np.array([[np.sqrt(mu)]]), np.array([b / np.sqrt(mu)]))
    steps = np.arange(50.0)
    exact = trajectory(problem, steps, eta=eta, start=np.array([start]))[:, 0]
    c = start
    for value in exact:
        assert value == pytest.approx(c, rel=1e-13, abs=1e-15)
        c = c + eta * (b - mu * c)


@given(
    st.floats(1e-18, 1.999).filter(lambda rate: abs(rate - 1) > 1e-9),
    st.integers(0, 1_000_000),
    st.sampled_from(["flow", "descent"]),
)
def test_propagators_agree_with_fifty_digits(rate, steps, rule):
    g, gain = propagators(np.array([rate]), np.array([float(steps)]), eta=1.0, rule=rule)
    with mpmath.workdps(50):
        exact = (1 - mpmath.mpf(rate)) ** steps if rule == "descent" else mpmath.exp(-mpmath.mpf(rate) * steps)
        exact_gain = (1 - exact) / mpmath.mpf(rate)
        # log|1 - rate| is rounded once, and t multiplies what that costs.
        log_size = abs(mpmath.log(abs(exact))) if exact != 0 else mpmath.inf
        tolerance = 4e-16 * float(2 + min(log_size, 800)) + 1e-300
        assert abs(g[0, 0] - exact) <= tolerance * max(abs(exact), mpmath.mpf(1e-300))
        assert abs(gain[0, 0] - exact_gain) <= 4 * tolerance * abs(exact_gain)


def test_limits_of_the_propagators():
    g, gain = propagators(np.array([0.0, 1.0, 0.5]), np.array([0.0, 1.0, 3.0, np.inf]), eta=1.0)
    np.testing.assert_allclose(g, [[1, 1, 1], [1, 0, 0.5], [1, 0, 0.125], [1, 0, 0]], rtol=1e-15)
    np.testing.assert_allclose(gain, [[0, 0, 0], [1, 1, 1], [3, 1, 1.75], [np.inf, 1, 2]], rtol=1e-15)
    tiny, zero = (propagators(np.array([mu]), np.array([1e6]), eta=0.1)[1][0, 0] for mu in (1e-15, 0.0))
    assert zero == pytest.approx(1e5, rel=1e-15)
    assert tiny == pytest.approx(zero, rel=1e-9)


def test_a_singular_problem_leaves_null_modes_where_they_started():
    features, targets, _, _, start = tanh_problem(m=12, d=30)
    problem = least_squares(features, targets)
    late = trajectory(problem, np.array([1e30, np.inf]), eta=0.1, start=start, rule="flow")
    assert np.isfinite(late).all()
    moved = (late - start) @ problem.basis
    np.testing.assert_allclose(moved[:, problem.null], 0, atol=1e-12)
    np.testing.assert_allclose(late @ features.T, np.tile(targets, (2, 1)), atol=1e-10)


def test_one_sample_is_fitted_and_nothing_else_moves():
    features, targets = np.array([[0.6, 0.8, 0.0]]), np.array([2.0])
    problem = least_squares(features, targets)
    path = trajectory(problem, np.array([0.0, 10.0, 1e6]), eta=0.3)
    np.testing.assert_allclose(path @ features[0], 2 * (1 - 0.7 ** np.array([0.0, 10.0, 1e6])), rtol=1e-13)
    np.testing.assert_allclose(path @ np.array([0.8, -0.6, 0.0]), 0, atol=1e-15)


def test_each_time_may_have_its_own_start():
    features, targets, *_ = tanh_problem()
    problem = least_squares(features, targets)
    starts = np.random.default_rng(1).normal(size=(3, 30))
    times = np.array([5.0, 50.0, 500.0])
    together = trajectory(problem, times, eta=0.1, start=starts)
    for row, start, time in zip(together, starts, times, strict=True):
        np.testing.assert_allclose(row, trajectory(problem, np.array([time]), eta=0.1, start=start)[0], rtol=1e-13)


def test_population_risk_averages_over_the_start():
    features, targets, test_features, test_targets, _ = tanh_problem()
    problem, times = least_squares(features, targets), np.array([0.0, 10.0, 1000.0])
    exact = population_risk(problem, times, test_features, test_targets, eta=0.1, init_std=0.3, chunk_size=64)
    starts = 0.3 * np.random.default_rng(0).normal(size=(4000, 30))
    sampled = np.array(
        [risk(trajectory(problem, times, eta=0.1, start=s), test_features, test_targets) for s in starts[:500]]
    )
    error = sampled.std(axis=0) / np.sqrt(len(sampled))
    assert np.all(np.abs(sampled.mean(axis=0) - exact) < 4 * error)
    unspread = population_risk(problem, times, test_features, test_targets, eta=0.1)
    np.testing.assert_allclose(unspread, risk(trajectory(problem, times, eta=0.1), test_features, test_targets))


def test_a_diverging_learning_rate_is_refused_with_the_largest_that_is_not():
    features, targets, *_ = tanh_problem()
    problem = least_squares(features, targets)
    stable, times = problem.largest_stable_eta, np.array([1e6])
    with pytest.raises(ConfigError, match=f"{stable:.6g}"):
        trajectory(problem, times, eta=stable * 1.0001)
    assert np.isfinite(trajectory(problem, times, eta=stable * 0.9999)).all()
    assert np.isfinite(trajectory(problem, times, eta=stable * 10, rule="flow")).all()


@pytest.mark.parametrize("eta", [0.0, -1.0, np.nan, np.inf])
def test_learning_rates_that_are_none_are_refused(eta):
    with pytest.raises(ConfigError, match="eta"):
        propagators(np.array([1.0]), np.array([1.0]), eta=eta)


@pytest.mark.parametrize("time", [-1.0, np.nan, 0.5])
def test_times_that_are_no_steps_are_refused(time):
    with pytest.raises(ConfigError, match="times"):
        propagators(np.array([1.0]), np.array([1.0, time]), eta=0.1)


def test_half_a_step_is_a_time_of_the_flow():
    g, _ = propagators(np.array([1.0]), np.array([0.5]), eta=0.1, rule="flow")
    assert g[0, 0] == pytest.approx(np.exp(-0.05), rel=1e-15)


def test_misfitting_arguments_are_refused():
    features, targets, *_ = tanh_problem()
    problem, times = least_squares(features, targets), np.array([1.0, 2.0])
    with pytest.raises(DataError, match="start has shape"):
        unwrap(trajectory)(problem, times, eta=0.1, start=np.zeros(7))
    with pytest.raises(DataError, match="start has shape"):
        trajectory(problem, times, eta=0.1, start=np.full(30, np.nan))
    with pytest.raises(ConfigError, match="rule"):
        propagators(np.array([1.0]), times, eta=0.1, rule="adam")
    with pytest.raises(ConfigError, match="init_std"):
        population_risk(problem, times, features, targets, eta=0.1, init_std=-1.0)
    with pytest.raises(DataError, match="no samples"):
        risk(np.zeros((1, 30)), features[:0], targets[:0])
