import numpy as np
import pytest

from overmix.errors import ConfigError, DataError
from overmix.explain.least_squares import least_squares
from overmix.explain.random_features import risk, trajectory
from overmix.explain.switch_dynamics import switch_curve


def two_problems(n=15, m=200, d=24, inputs=8, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(inputs, d)) / np.sqrt(inputs)
    x = rng.normal(size=(n, inputs))
    y = np.sin(x.sum(1)) + 0.3 * (x**2).sum(1)
    i, j = rng.integers(n, size=(2, m))
    lam = rng.uniform(size=m)
    mixed, labels = lam[:, None] * x[i] + (1 - lam)[:, None] * x[j], lam * y[i] + (1 - lam) * y[j]
    test = rng.normal(size=(500, inputs))
    test_targets = np.sin(test.sum(1)) + 0.3 * (test**2).sum(1)
    arrays = [np.tanh(mixed @ weights), labels, np.tanh(x @ weights), y, np.tanh(test @ weights), test_targets]
    return arrays, rng.normal(size=d)


@pytest.mark.parametrize("switch", [0, 1, 300, 1999, 2000])
def test_switched_training_agrees_with_gradient_descent_step_by_step(switch):
    (mixed, labels, clean, y, test, test_targets), start = two_problems()
    mixup, erm = least_squares(mixed, labels), least_squares(clean, y)  # 15 samples of 24 features: erm is singular
    eta = 0.9 * min(mixup.largest_stable_eta, erm.largest_stable_eta)
    theta = start.copy()
    for step in range(2000):
        phi, target = (mixed, labels) if step < switch else (clean, y)
        if step == switch:
            at_switch = theta.copy()
        theta -= eta * (phi.T @ (phi @ theta - target)) / len(phi)
    at_switch = theta if switch == 2000 else at_switch
    curve = switch_curve(mixup, erm, np.array([float(switch)]), test, test_targets, total=2000, eta=eta, start=start)
    assert curve.final[0] == pytest.approx(np.mean((test @ theta - test_targets) ** 2), rel=1e-8)
    assert curve.at_switch[0] == pytest.approx(np.mean((test @ at_switch - test_targets) ** 2), rel=1e-8)


@pytest.mark.parametrize("rule", ["flow", "descent"])
def test_the_ends_of_the_curve_are_erm_and_mixup(rule):
    (mixed, labels, clean, y, test, test_targets), start = two_problems()
    mixup, erm = least_squares(mixed, labels), least_squares(clean, y)
    arguments = {"eta": 0.1, "start": start, "rule": rule}
    curve = switch_curve(mixup, erm, np.array([0.0, 1e5]), test, test_targets, total=100_000, **arguments)
    for final, problem in zip(curve.final, (erm, mixup), strict=True):
        alone = trajectory(problem, np.array([1e5]), **arguments)
        assert final == pytest.approx(risk(alone, test, test_targets)[0], rel=1e-10)


def test_switching_between_a_problem_and_itself_changes_nothing():
    (mixed, labels, *_, test, test_targets), start = two_problems()
    problem = least_squares(mixed, labels)
    times = np.array([0.0, 10.0, 500.0, 3000.0])
    curve = switch_curve(problem, problem, times, test, test_targets, total=3000, eta=0.1, start=start)
    np.testing.assert_allclose(curve.final, curve.final[0], rtol=1e-10)


def test_settings_that_cannot_work_are_named():
    (mixed, labels, clean, y, test, test_targets), _ = two_problems()
    mixup, erm = least_squares(mixed, labels), least_squares(clean, y)
    times = np.array([0.0, 11.0])
    with pytest.raises(ConfigError, match="switch within the 10 steps"):
        switch_curve(mixup, erm, times, test, test_targets, total=10, eta=0.1)
    with pytest.raises(ConfigError, match="total"):
        switch_curve(mixup, erm, times, test, test_targets, total=float("inf"), eta=0.1)
    with pytest.raises(ConfigError, match="diverges"):
        switch_curve(mixup, erm, times, test, test_targets, total=20, eta=2.1 / erm.eigenvalues[-1])
    with pytest.raises(DataError, match="use the same"):
        switch_curve(mixup, least_squares(clean[:, :5], y), times, test, test_targets, total=20, eta=0.1)
