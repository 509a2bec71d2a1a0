"""When to switch from Mixup to plain training, answered without training.

Up to the switch theta follows the Mixup problem in its own eigenbasis, from then on the problem of the original samples
in theirs. Both parts are closed forms, so the final risk is had for every switch time at once. The dynamics follow
Lemma 5.1 of Liu, Wang, Guo, Mao (ICLR 2023), which has no switch; joining two of them is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overmix._typing import Float
from overmix.errors import ConfigError, DataError
from overmix.explain.least_squares import LeastSquares
from overmix.explain.random_features import Rule, risk, trajectory


@dataclass(frozen=True)
class SwitchCurve:
    """Risk against the time of the switch.

    Attributes:
        times: switch times s, in steps; 0 is ERM from the start and ``total`` is Mixup to the end.
        at_switch: risk at the moment of the switch.
        final: risk after ``total`` steps.
        total: length of the training, in steps.
    """

    times: Float[np.ndarray, " switches"]
    at_switch: Float[np.ndarray, " switches"]
    final: Float[np.ndarray, " switches"]
    total: float

    @property
    def best(self) -> float:
        """The switch time with the lowest final risk among those given."""
        return float(self.times[int(np.argmin(self.final))])


def switch_curve(
    mixup: LeastSquares,
    erm: LeastSquares,
    times: Float[np.ndarray, " switches"],
    features: Float[np.ndarray, "samples features"],
    targets: Float[np.ndarray, " samples"],
    *,
    total: float,
    eta: float,
    start: Float[np.ndarray, " features"] | None = None,
    rule: Rule = "descent",
) -> SwitchCurve:
    """Return the risk at each switch and at the end of training.

    Args:
        mixup: the problem of the synthetic samples.
        erm: the problem of the original samples, on the same features.
        times: switch times from 0 to ``total``, whole steps for descent.
        features: features of test samples.
        targets: their labels.
        total: length of the training, in steps.
        eta: learning rate, the same on both sides of the switch.
        start: initial theta, zero by default.
        rule: ``"descent"`` or ``"flow"``.

    Raises:
        ConfigError: if a time lies after ``total``, or eta cannot work for one of the problems.
        DataError: if the two problems have different features, or the test samples cannot be used.

    Example:
        >>> from overmix.explain.least_squares import least_squares
        >>> mixup = least_squares(np.array([[1.0]]), np.array([2.0]))  # pulls theta to 2, the truth is 1
        >>> erm = least_squares(np.array([[1.0]]), np.array([1.0]))
        >>> curve = switch_curve(mixup, erm, np.array([0.0, 5.0, 9.0]), np.ones((1, 1)), np.ones(1), total=9, eta=0.1)
        >>> curve.best
        5.0
    """
    if len(mixup.eigenvalues) != len(erm.eigenvalues):
        raise DataError(f"mixup has {len(mixup.eigenvalues)} features and erm {len(erm.eigenvalues)}: use the same")
    if not (total >= 0 and np.isfinite(total)):
        raise ConfigError("total", total, "use a finite number of steps >= 0")
    for late in times[~(times <= total)][:1]:
        raise ConfigError("times", float(late), f"switch within the {total:g} steps of the training")
    at_switch = trajectory(mixup, times, eta=eta, start=start, rule=rule)
    final = trajectory(erm, total - times, eta=eta, start=at_switch, rule=rule)
    return SwitchCurve(times, risk(at_switch, features, targets), risk(final, features, targets), total)
