"""What the theory says about random features with noisy labels: a bound on the risk that is U-shaped in time.

With labels ``y = y* + z`` training passes near the clean solution theta* and ends at ``theta* + theta^noise``. Mode k
approaches theta* as ``exp(-eta mu_k t)`` and takes up noise as ``1 - exp(-eta mu_k t)``: modes with a small eigenvalue
turn last and hurt most, since their share of the noise is divided by mu_k.

The bound follows Theorem 5.2 of Liu, Wang, Guo, Mao, *Over-training with Mixup May Hurt Generalization* (ICLR 2023). It
is an upper bound, and a loose one: that it is U-shaped suggests that the risk is, and proves nothing. The exact
distance to theta* is derived for overmix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from overmix._typing import Float
from overmix.errors import ConfigError
from overmix.explain.least_squares import LeastSquares
from overmix.explain.random_features import Rule, check_init_std, check_rate, propagators, risk

SizeKind: TypeAlias = Literal["bound", "exact"]


@dataclass(frozen=True)
class RiskBound:
    """``R_t <= clean_risk + decaying + growing + constant``, terms in squared label units.

    Attributes:
        times: in steps.
        decaying: ``C_1 sum_k (xi^2 + theta*_k^2) g_k(t)^2``, what is not learnt yet.
        growing: ``C_1 sum_k (C_2 / mu_k) (1 - g_k(t))^2``, noise taken up.
        constant: ``2 sqrt(C_1 R* zeta)``.
        clean_risk: ``R*``, the risk of theta*.
    """

    times: Float[np.ndarray, " times"]
    decaying: Float[np.ndarray, " times"]
    growing: Float[np.ndarray, " times"]
    constant: float
    clean_risk: float

    @property
    def total(self) -> Float[np.ndarray, " times"]:
        """The bound on the risk itself."""
        return np.asarray(self.clean_risk + self.decaying + self.growing + self.constant)


@dataclass(frozen=True)
class CleanDistance:
    """``E ||theta_t - theta*||^2 = decaying + growing + cross``, exactly, over ``theta_0 ~ N(0, xi^2 I)``.

    Attributes:
        times: in steps.
        decaying: ``sum_k (xi^2 + theta*_k^2) g_k(t)^2``.
        growing: ``sum_k (theta^noise_k)^2 (1 - g_k(t))^2``.
        cross: ``-2 sum_k theta*_k theta^noise_k g_k(t) (1 - g_k(t))``.
    """

    times: Float[np.ndarray, " times"]
    decaying: Float[np.ndarray, " times"]
    growing: Float[np.ndarray, " times"]
    cross: Float[np.ndarray, " times"]

    @property
    def total(self) -> Float[np.ndarray, " times"]:
        """The squared distance."""
        return np.asarray(self.decaying + self.growing + self.cross)


def risk_bound(
    problem: LeastSquares,
    times: Float[np.ndarray, " times"],
    features: Float[np.ndarray, "samples features"],
    targets: Float[np.ndarray, " samples"],
    *,
    eta: float,
    init_std: float = 0.0,
    rule: Rule = "flow",
) -> RiskBound:
    """Bound the risk at each time, averaged over ``theta_0 ~ N(0, xi^2 I)``.

    ``C_1 / 2`` bounds ``||phi(x)||^2`` and ``C_2`` bounds the squared label noise;
    ``zeta = sum_k max(xi^2 + theta*_k^2, C_2 / mu_k)``. Null modes keep their start and take up no noise: they
    contribute ``xi^2``, and the bound stays valid and finite.

    Args:
        problem: the decomposed training problem, with its label noise.
        times: in steps.
        features: features of test samples; the bound is for their empirical distribution.
        targets: their labels.
        eta: learning rate.
        init_std: xi.
        rule: ``"flow"``; ``"descent"`` is bounded too while ``eta mu_max <= 1``.

    Raises:
        ConfigError: if a setting cannot work.
        DataError: if the test samples cannot be used.

    References:
        Liu, Wang, Guo, Mao, *Over-training with Mixup May Hurt Generalization*, 2023: following Theorem 5.2. Singular
        problems and descent are ours.
    """
    check_init_std(init_std)
    check_rate(problem.eigenvalues, eta, rule)
    if rule == "descent" and eta * problem.eigenvalues[-1] > 1:
        limit = f"the bound needs eta mu_max <= 1: use at most {1 / problem.eigenvalues[-1]:.6g}, or the flow"
        raise ConfigError("eta", eta, limit)
    learnt, noise = mode_sizes(problem, init_std, "bound")
    clean_weights = problem.basis @ problem.clean_solution
    clean_risk = float(risk(clean_weights[None], features, targets)[0])
    c1 = 2 * float(np.max(np.sum(np.asarray(features, dtype=np.float64) ** 2, axis=1)))
    g, _ = propagators(problem.eigenvalues, times, eta=eta, rule=rule)
    return RiskBound(
        times=times,
        decaying=c1 * g**2 @ learnt,
        growing=c1 * (1 - g) ** 2 @ noise,
        constant=2 * float(np.sqrt(c1 * clean_risk * np.sum(np.maximum(learnt, noise)))),
        clean_risk=clean_risk,
    )


def clean_distance(
    problem: LeastSquares,
    times: Float[np.ndarray, " times"],
    *,
    eta: float,
    init_std: float = 0.0,
    rule: Rule = "flow",
) -> CleanDistance:
    """Return the mean squared distance of theta to the clean solution at each time, split into its terms.

    Args:
        problem: the decomposed training problem, with its label noise.
        times: in steps.
        eta: learning rate.
        init_std: xi.
        rule: ``"flow"`` or ``"descent"``.

    Raises:
        ConfigError: if a setting cannot work.
    """
    check_init_std(init_std)
    g, _ = propagators(problem.eigenvalues, times, eta=eta, rule=rule)
    learnt, noise = mode_sizes(problem, init_std, "exact")
    return CleanDistance(
        times=times,
        decaying=g**2 @ learnt,
        growing=(1 - g) ** 2 @ noise,
        cross=-2 * (g * (1 - g)) @ (problem.clean_solution * problem.noise_solution),
    )


def mode_sizes(
    problem: LeastSquares, init_std: float, kind: SizeKind
) -> tuple[Float[np.ndarray, " features"], Float[np.ndarray, " features"]]:
    """Return what each mode has to learn, ``xi^2 + theta*_k^2``, and the noise it takes up.

    The noise is either bounded by ``C_2 / mu_k`` or exactly ``(theta^noise_k)^2``; it is 0 on null modes.
    """
    learnt = init_std**2 + problem.clean_solution**2
    if kind == "exact":
        return learnt, problem.noise_solution**2
    peak = np.full_like(learnt, problem.noise_peak)
    return learnt, np.divide(peak, problem.eigenvalues, out=np.zeros_like(learnt), where=~problem.null)
