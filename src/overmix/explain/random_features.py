"""Exact training dynamics of least squares on fixed random features.

Only the last layer theta is trained, on features phi(x) that do not move. Gradient descent on

    R(theta) = (1 / 2m) sum_i (theta^T phi(x_i) - y_i)^2

decouples in the eigenbasis of ``G = (1/m) sum_i phi(x_i) phi(x_i)^T``. With eigenvalue mu and ``b`` the component of
``(1/m) sum_i phi(x_i) y_i``, a mode obeys

    c(t) = g(t) c(0) + (1 - g(t)) / mu * b,   g = exp(-eta mu t) (flow)  or  (1 - eta mu)^t (descent),

so the state after any number of steps costs one matrix product, and all times are had from one eigendecomposition of
a (d, d) matrix. Nothing of size (m, m) or, with chunks, (m, d) is ever held.

Setting and flow follow Lemma 5.1 of Liu, Wang, Guo, Mao, *Over-training with Mixup May Hurt Generalization* (ICLR
2023), after Advani and Saxe (2020). Discrete steps and singular problems are worked out here.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from overmix._typing import Float
from overmix.errors import ConfigError, DataError
from overmix.explain.least_squares import LeastSquares, array_chunks, checked_chunks

Rule: TypeAlias = Literal["flow", "descent"]


def propagators(
    eigenvalues: Float[np.ndarray, " modes"],
    times: Float[np.ndarray, " times"],
    *,
    eta: float,
    rule: Rule = "descent",
) -> tuple[Float[np.ndarray, "times modes"], Float[np.ndarray, "times modes"]]:
    """Return ``g(t)`` and ``(1 - g(t)) / mu`` for every time and mode, accurate for small and for large ``eta mu t``.

    For mu = 0 they are 1 and ``eta t``.

    Args:
        eigenvalues: mu >= 0.
        times: in steps; whole numbers for descent. Infinity gives the limit.
        eta: learning rate.
        rule: ``"descent"`` for steps, ``"flow"`` for their continuous limit, in which ``t`` steps take the time t.

    Raises:
        ConfigError: if a time or eta cannot work; for descent also if ``eta mu_max >= 2``, when it diverges.
    """
    check_rate(eigenvalues, eta, rule)
    _check_times(times, rule)
    with np.errstate(over="ignore"):
        rate, t = eta * eigenvalues, times[:, None]
    if rule == "flow":
        log_g, alternates = -rate, np.zeros_like(rate, dtype=bool)
    else:
        alternates = rate > 1  # 1 - eta mu < 0: the mode changes sign at every step
        with np.errstate(divide="ignore"):  # eta mu = 1 gives log 0: the mode is solved in one step
            log_g = np.where(alternates, np.log(np.abs(rate - 1)), np.log1p(-np.minimum(rate, 1)))
    with np.errstate(invalid="ignore"):  # 0 * inf, replaced by its value 0
        exponent = np.where((t == 0) | (rate == 0), 0.0, t * log_g)
    negative = alternates & (np.where(np.isfinite(t), t, 0) % 2 == 1)
    magnitude = np.exp(exponent)
    g = np.where(negative, -magnitude, magnitude)
    one_minus_g = np.where(negative, 1 + magnitude, -np.expm1(exponent))
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(eigenvalues == 0, eta * t, one_minus_g / eigenvalues)
    return g, gain


def trajectory(
    problem: LeastSquares,
    times: Float[np.ndarray, " times"],
    *,
    eta: float,
    start: Float[np.ndarray, "*times features"] | None = None,
    rule: Rule = "descent",
) -> Float[np.ndarray, "times features"]:
    """Return theta at each time.

    Args:
        problem: the decomposed problem.
        times: as for :func:`propagators`.
        eta: as for :func:`propagators`.
        start: theta at time 0, zero by default; or one row per time.
        rule: as for :func:`propagators`.

    Raises:
        ConfigError: as for :func:`propagators`.
        DataError: if ``start`` does not fit or is not finite.

    Example:
        >>> from overmix.explain.least_squares import least_squares
        >>> problem = least_squares(np.eye(2), np.array([1.0, 3.0]))  # both eigenvalues are 1/2
        >>> trajectory(problem, np.array([0.0, 1.0, np.inf]), eta=1.0).tolist()
        [[0.0, 0.0], [0.5, 1.5], [1.0, 3.0]]

    References:
        Liu, Wang, Guo, Mao, *Over-training with Mixup May Hurt Generalization*, 2023: flow following Lemma 5.1.
    """
    g, gain = propagators(problem.eigenvalues, times, eta=eta, rule=rule)
    with np.errstate(invalid="ignore"):  # the limit of a null mode at infinite time is inf * 0: it does not move
        components = np.where(problem.moment == 0, 0.0, gain * problem.moment)
    if start is not None:
        if start.shape[-1:] != problem.moment.shape or start.ndim > 2 or not np.isfinite(start).all():
            raise DataError(
                f"start has shape {start.shape}: give {len(problem.moment)} finite numbers, or that per time"
            )
        components = components + g * (start @ problem.basis)
    return np.asarray(components @ problem.basis.T)


def risk(
    weights: Float[np.ndarray, "times features"],
    features: Float[np.ndarray, "samples features"],
    targets: Float[np.ndarray, " samples"],
    *,
    chunk_size: int = 2048,
) -> Float[np.ndarray, " times"]:
    """Return the mean squared error ``mean_i (theta^T phi(x_i) - y_i)^2`` of each row of weights.

    Args:
        weights: one theta per row.
        features: features of the samples, usually test samples.
        targets: their labels.
        chunk_size: samples evaluated at a time.

    Raises:
        DataError: without samples, if the shapes do not fit, or if a number is not finite.
    """
    total, m = np.zeros(len(weights)), 0
    for phi, labels in checked_chunks(array_chunks(features, targets, chunk_size=chunk_size)):
        total += np.sum((phi @ weights.T - labels[:, :1]) ** 2, axis=0)
        m += len(phi)
    if m == 0:
        raise DataError("no samples given: the risk of an empty set is not defined")
    return total / m


def population_risk(
    problem: LeastSquares,
    times: Float[np.ndarray, " times"],
    features: Float[np.ndarray, "samples features"],
    targets: Float[np.ndarray, " samples"],
    *,
    eta: float,
    init_std: float = 0.0,
    rule: Rule = "descent",
    chunk_size: int = 2048,
) -> Float[np.ndarray, " times"]:
    """Return the risk at each time, averaged exactly over ``theta_0 ~ N(0, init_std^2 I)``.

    ``R_t = mean_i (theta_t^T phi(x_i) - y_i)^2`` with theta started at 0, plus
    ``init_std^2 sum_k g_k(t)^2 mean_i phi_k(x_i)^2`` for the spread of the start.

    Args:
        problem: the decomposed training problem.
        times: as for :func:`propagators`.
        features: features of test samples, which stand for the population.
        targets: their labels.
        eta: as for :func:`propagators`.
        init_std: standard deviation of each initial weight.
        rule: as for :func:`propagators`.
        chunk_size: test samples evaluated at a time.

    Raises:
        ConfigError: as for :func:`propagators`, or if ``init_std`` is negative.
        DataError: as for :func:`risk`.
    """
    check_init_std(init_std)
    mean = risk(trajectory(problem, times, eta=eta, rule=rule), features, targets, chunk_size=chunk_size)
    if init_std == 0:
        return mean
    g, _ = propagators(problem.eigenvalues, times, eta=eta, rule=rule)
    power = np.zeros(len(problem.eigenvalues))
    for phi, _ in checked_chunks(array_chunks(features, targets, chunk_size=chunk_size)):
        power += np.sum((phi @ problem.basis) ** 2, axis=0)
    return np.asarray(mean + init_std**2 * (g**2 @ (power / len(features))))


def training_risk(problem: LeastSquares, weights: Float[np.ndarray, "times features"]) -> Float[np.ndarray, " times"]:
    """Return the mean squared error of each row of weights on the training samples, without those samples."""
    solution = problem.solution
    lowest = np.maximum(0.0, problem.mean_square - solution @ problem.moment)  # NaN stays NaN, unlike with max
    return np.asarray(lowest + (weights @ problem.basis - solution) ** 2 @ problem.eigenvalues)


def check_rate(eigenvalues: Float[np.ndarray, " modes"], eta: float, rule: Rule) -> None:
    """Refuse a learning rate that cannot work.

    Raises:
        ConfigError: if eta is not a positive number, or for descent if ``eta mu_max >= 2``.
    """
    if rule not in ("flow", "descent"):
        raise ConfigError("rule", rule, "use flow or descent")
    if not (eta > 0 and np.isfinite(eta)):
        raise ConfigError("eta", eta, "use a finite learning rate > 0")
    largest = float(np.max(eigenvalues, initial=0.0))
    if rule == "descent" and eta * largest >= 2:
        raise ConfigError("eta", eta, f"gradient descent diverges here: use less than 2 / mu_max = {2 / largest:.6g}")


def check_init_std(init_std: float) -> None:
    """Refuse a spread of the initial weights that is not a finite number >= 0.

    Raises:
        ConfigError: for such a spread.
    """
    if not (init_std >= 0 and np.isfinite(init_std)):
        raise ConfigError("init_std", init_std, "use a finite number >= 0")


def _check_times(times: Float[np.ndarray, " times"], rule: Rule) -> None:
    for bad in times[~(times >= 0)][:1]:
        raise ConfigError("times", float(bad), "use numbers >= 0")
    finite = times[np.isfinite(times)]
    for bad in finite[finite != np.floor(finite)][:1]:
        if rule == "descent":
            raise ConfigError("times", float(bad), "use whole steps for descent, or the flow")
