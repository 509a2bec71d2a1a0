import numpy as np
import pytest

from overmix.explain.random_features import population_risk, propagators
from overmix.explain.stopping import best_stopping_time, mode_stopping_times


def test_modes_turn_where_their_own_curve_is_lowest(mixup_problem):
    problem, *_ = mixup_problem()
    eta, xi = 0.1, 0.1
    turns = mode_stopping_times(problem, eta=eta, init_std=xi)
    a, b = xi**2 + problem.clean_solution**2, problem.noise_peak / problem.eigenvalues
    for k in range(30):
        grid = turns[k] * np.geomspace(0.2, 5, 4001)
        e = np.exp(-eta * problem.eigenvalues[k] * grid)
        curve = a[k] * e**2 + b[k] * (1 - e) ** 2
        assert grid[curve.argmin()] == pytest.approx(turns[k], rel=2e-3)  # the spacing of the grid is 8e-4
        assert curve.min() == pytest.approx(a[k] * b[k] / (a[k] + b[k]), rel=1e-5)
    np.testing.assert_array_equal(np.argsort(-turns * problem.eigenvalues), np.argsort(-a / b))


def test_exact_turns_are_where_the_distance_of_the_mode_is_lowest(mixup_problem):
    problem, *_ = mixup_problem(seed=3)
    eta, xi = 0.1, 0.05
    turns = mode_stopping_times(problem, eta=eta, init_std=xi, kind="exact")
    finite = np.isfinite(turns) & (turns > 0)
    assert finite.sum() > 3
    clean, noise = problem.clean_solution, problem.noise_solution
    for k in np.flatnonzero(finite):
        e = np.exp(-eta * problem.eigenvalues[k] * turns[k] * np.geomspace(0.2, 5, 4001))
        curve = xi**2 * e**2 + (noise[k] * (1 - e) - clean[k] * e) ** 2
        assert abs(curve.argmin() - 2000) <= 2
    for k in np.flatnonzero(~np.isfinite(turns)):  # never: the end is nearer than anything before it
        e = np.linspace(0, 1, 1001)
        assert (xi**2 * e**2 + (noise[k] * (1 - e) - clean[k] * e) ** 2).argmin() == 0


def test_more_noise_turns_earlier(mixup_problem):
    quiet, loud = (
        mixup_problem(truth=lambda x, scale=scale: x[:, 0] + scale * (x**2).sum(1))[0] for scale in (0.02, 0.2)
    )
    early, late = mode_stopping_times(loud, eta=0.1), mode_stopping_times(quiet, eta=0.1)
    assert np.median(early) < np.median(late)


def test_descent_stops_at_the_nearest_step_of_each_mode(mixup_problem):
    problem, *_ = mixup_problem()
    eta, steps = 0.5 / problem.eigenvalues[-1], np.arange(20_000.0)
    turns = mode_stopping_times(problem, eta=eta, rule="descent")
    k = int(np.argmin(np.abs(turns - 1000)))
    g = propagators(problem.eigenvalues[k : k + 1], steps, eta=eta)[0][:, 0]
    curve = problem.clean_solution[k] ** 2 * g**2 + problem.noise_peak / problem.eigenvalues[k] * (1 - g) ** 2
    assert abs(steps[curve.argmin()] - turns[k]) <= 1


@pytest.mark.parametrize("rule", ["flow", "descent"])
def test_best_stopping_time_is_the_minimum_of_the_risk(rule, mixup_problem):
    problem, features, targets = mixup_problem()

    def curve(times):
        return population_risk(problem, times, features, targets, eta=0.1, init_std=0.1, rule=rule)

    best = best_stopping_time(curve, last=1e5, rule=rule)
    dense = curve(np.concatenate([[0.0], np.round(np.geomspace(1, 1e5, 3000))]))
    assert best.value <= dense.min() + 1e-12
    assert best.value == pytest.approx(curve(np.array([best.time]))[0], rel=1e-12)
    if rule == "descent":
        assert best.time == round(best.time)


@pytest.mark.parametrize("true", [0.0, 1.0, 37.0, 12_345.0, 1e6])
def test_best_stopping_time_finds_a_known_minimum(true):
    best = best_stopping_time(lambda t: (t - true) ** 2, last=1e6, rule="descent")
    assert best.time == true
