"""When to stop: the turning time of each mode, and the lowest point of a whole curve.

Derived for overmix from the dynamics in ``random_features.py``; the theory that it starts from gives a bound over time
and no stopping rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from overmix._typing import Float
from overmix.errors import ConfigError
from overmix.explain.least_squares import LeastSquares
from overmix.explain.random_features import Rule, check_init_std, check_rate
from overmix.explain.risk_bound import SizeKind, mode_sizes


@dataclass(frozen=True)
class StoppingTime:
    """The best time found, in steps, and the value there."""

    time: float
    value: float


def mode_stopping_times(
    problem: LeastSquares, *, eta: float, init_std: float = 0.0, rule: Rule = "flow", kind: SizeKind = "bound"
) -> Float[np.ndarray, " features"]:
    """Return when each mode should stop, in steps; infinity where it never turns (no noise, or a null mode).

    The terms of the bound, ``a e^2 + b (1 - e)^2`` with ``e = exp(-eta mu_k t)``, ``a = xi^2 + theta*_k^2`` and
    ``b = C_2 / mu_k``, are smallest, with the value ``a b / (a + b)``, at

        t_k = ln(1 + a / b) / (eta mu_k).

    More noise means an earlier turn. Under descent ``eta mu_k`` becomes ``-ln(1 - eta mu_k)``, and the time is rounded
    to the nearest step.

    Args:
        problem: the decomposed training problem, with its label noise.
        eta: learning rate.
        init_std: xi.
        rule: ``"flow"``, or ``"descent"`` with ``eta mu_max <= 1``.
        kind: ``"bound"`` for the terms of the bound; ``"exact"`` for the mode's own mean squared distance to
            theta*, ``xi^2 e^2 + (theta^noise_k - e (theta^noise_k + theta*_k))^2``.

    Raises:
        ConfigError: if a setting cannot work.

    Example:
        >>> from overmix.explain.least_squares import least_squares
        >>> problem = least_squares(np.array([[1.0]]), np.array([2.0]), noise=np.array([1.0]))
        >>> mode_stopping_times(problem, eta=0.5).round(4).tolist()  # ln(1 + 1 / 1) / 0.5
        [1.3863]
    """
    check_init_std(init_std)
    check_rate(problem.eigenvalues, eta, rule)
    if kind not in ("bound", "exact"):
        raise ConfigError("kind", kind, "use bound or exact")
    rate = eta * problem.eigenvalues
    if rule == "descent" and np.max(rate) > 1:
        raise ConfigError("eta", eta, f"use at most 1 / mu_max = {1 / problem.eigenvalues[-1]:.6g}, or the flow")
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "bound":
            learnt, noise = mode_sizes(problem, init_std, "bound")
            exponent = np.log1p(learnt / noise)
        else:
            exponent = -np.log(_best_decay(problem.clean_solution, problem.noise_solution, init_std))
        time = exponent / (rate if rule == "flow" else -np.log1p(-rate))
    # A mode without noise never turns, not even if there was nothing to learn (0 / 0).
    quiet = problem.noise_solution == 0 if kind == "exact" else np.full(len(rate), problem.noise_peak == 0)
    time = np.where(problem.null | quiet, np.inf, time)
    return np.asarray(time if rule == "flow" else np.round(time))


def best_stopping_time(
    values: Callable[[Float[np.ndarray, " times"]], Float[np.ndarray, " times"]],
    *,
    last: float,
    rule: Rule = "flow",
    points: int = 256,
) -> StoppingTime:
    """Return the time up to ``last`` at which a curve over training time is lowest.

    The curve is read at 0 and on a logarithmic grid, which is then refined around its lowest point. A second minimum
    between two points of the first grid can be missed.

    Args:
        values: the curve, all times at once; a risk or a bound.
        last: longest training considered, at least 1.
        rule: ``"descent"`` considers whole steps only.
        points: points of each grid.

    Raises:
        ConfigError: if ``last`` or ``points`` cannot work.

    Example:
        >>> best_stopping_time(lambda times: (times - 1234) ** 2, last=1e6, rule="descent").time
        1234.0
    """
    if not (last >= 1 and np.isfinite(last)):
        raise ConfigError("last", last, "use a finite number of steps >= 1")
    if points < 3:
        raise ConfigError("points", points, "use at least 3")
    grid = np.concatenate([[0.0], np.geomspace(1e-3 if rule == "flow" else 1.0, last, points)])
    for _ in range(6):
        grid = np.unique(np.round(grid)) if rule == "descent" else grid
        curve = values(grid)
        k = int(np.argmin(curve))
        best = StoppingTime(float(grid[k]), float(curve[k]))
        grid = np.linspace(grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)], points)
    return best


def _best_decay(
    clean: Float[np.ndarray, " modes"], noise: Float[np.ndarray, " modes"], init_std: float
) -> Float[np.ndarray, " modes"]:
    """The e in [0, 1] at which ``xi^2 e^2 + (noise - e (noise + clean))^2`` is smallest."""
    end = noise + clean
    size = init_std**2 + end**2
    # Where start and end are both theta = 0 nothing moves, and any e will do.
    best = np.divide(noise * end, size, out=np.ones_like(size), where=size > 0)
    return np.asarray(np.clip(best, 0.0, 1.0))
