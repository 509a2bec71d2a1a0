"""Policies that others use to stop, here to switch: what the benchmark and the search for a switch compare with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from overmix.diagnose import diagnose_curve
from overmix.errors import ConfigError
from overmix.switch.policies.allowed import AT_LEAST_0, Flag, Named, SettingRule, WithAllowed, Within
from overmix.switch.policies.registry import register_policy
from overmix.switch.policy import Decision, History, Split

Signal = Literal["score", "error", "cross_entropy", "brier"]
"""What a curve is of: the mean score, whatever it is, or what there is for classes only."""

_GO_ON = Decision(None, "not yet")


@dataclass(frozen=True)
class Fixed(WithAllowed):
    """Switch after a share of the training; 0 is ERM, 1 is Mixup to the end."""

    share: float

    allowed: ClassVar[Mapping[str, SettingRule]] = {"share": Within(0, 1, "use a share of the training in [0, 1]")}

    def decide(self, history: History) -> Decision:
        """Decide at the start."""
        return Decision(round(self.share * history.epochs), "fixed")


@dataclass(frozen=True)
class _FromCurve(WithAllowed):
    """Looks at the curve of one signal, on the held-out samples or on the clean training samples."""

    signal: Signal = "score"
    split: Split = "val"

    allowed: ClassVar[Mapping[str, SettingRule]] = {
        "signal": Named(get_args(Signal)),
        "split": Named(get_args(Split)),
    }

    def _curve(self, history: History) -> tuple[np.ndarray, np.ndarray]:
        """Return the epochs done at each look, and the signal there; what is not finite counts as the worst."""
        seen = [look for look in history.observations if look.split == self.split]
        values = [getattr(look, self.signal) for look in seen]
        if None in values:
            raise ConfigError("signal", self.signal, 'the run observes scores, which have none: use signal="score"')
        curve = np.array(values, dtype=np.float64)
        return np.array([look.epoch + 1 for look in seen]), np.where(np.isfinite(curve), curve, np.inf)


def _waiting(epochs: np.ndarray, values: np.ndarray) -> Decision:
    """Return that nothing is decided, and that the state of the best look so far is kept."""
    return Decision(None, "not yet", keep=int(epochs[int(np.argmin(values))]) if len(values) else None)


@register_policy("patience")
@dataclass(frozen=True)
class Patience(_FromCurve):
    """Switch once the signal has not improved for a while: half as long again as it took to get to the best."""

    patience: float = 0.5
    rewind: bool = True

    allowed: ClassVar[Mapping[str, SettingRule]] = {**_FromCurve.allowed, "patience": AT_LEAST_0, "rewind": Flag()}

    def decide(self, history: History) -> Decision:
        """Decide when the best look is old."""
        epochs, values = self._curve(history)
        if len(values) < 3:
            return _waiting(epochs, values)
        best = epochs[int(np.argmin(values))]
        if history.done < max((1 + self.patience) * best, 0.02 * history.epochs):
            return _waiting(epochs, values)
        return Decision(int(best) if self.rewind else history.done, "no better for a while")


@register_policy("generalization_loss")
@dataclass(frozen=True)
class GeneralizationLoss(_FromCurve):
    """Prechelt's GL: switch once the signal is ``alpha`` above its lowest, as a share.

    Source: L. Prechelt, "Early Stopping - But When?", 1998.
    """

    alpha: float = 0.05

    allowed: ClassVar[Mapping[str, SettingRule]] = {**_FromCurve.allowed, "alpha": AT_LEAST_0}

    def decide(self, history: History) -> Decision:
        """Decide when the loss has risen."""
        epochs, values = self._curve(history)
        if len(values) < 3 or values[-1] <= (1 + self.alpha) * values.min():
            return _waiting(epochs, values)
        return Decision(int(epochs[int(np.argmin(values))]), "the signal rose")


@register_policy("inc_to_dec")
@dataclass(frozen=True)
class IncToDec(_FromCurve):
    """CatBoost's overfitting detector: switch once ``exp(-0.5 (m - s) / w) < threshold``, back to the best look.

    s is the present score (minus the signal), m the best one so far, and ``w = max 0.99^(i - i1) (s[i2] - s[i1])`` over
    looks ``i1 <= i2 <= i`` the increase that may still be expected. Here a look of a log grid stands for an iteration.

    Source: the documentation of CatBoost, "Overfitting detector".
    """

    threshold: float = 0.05

    allowed: ClassVar[Mapping[str, SettingRule]] = {
        **_FromCurve.allowed,
        "threshold": Within(0, 1, "use a number in (0, 1]", without=(0,)),
    }

    def decide(self, history: History) -> Decision:
        """Decide when the fall since the best look is large against the rises before."""
        epochs, values = self._curve(history)
        if len(values) < 3 or not np.isfinite(values).all():
            return _waiting(epochs, values)
        scores, last = -values, len(values) - 1
        rises = np.maximum.accumulate(scores[::-1])[::-1] - scores
        expected = float((0.99 ** (last - np.arange(len(scores))) * rises).max())
        fall = float(scores.max() - scores[-1])
        if fall <= 0 or (expected > 0 and np.exp(-0.5 * fall / expected) >= self.threshold):
            return _waiting(epochs, values)
        return Decision(int(epochs[int(np.argmax(scores))]), "the signal fell by more than may be regained")


@dataclass(frozen=True)
class Turned(_FromCurve):
    """Switch once :func:`overmix.diagnose_curve` calls the run's own curve U-shaped, and go back to where it turned.

    For runs that are over: where a curve turned is known too late to have kept the state.
    """

    def decide(self, history: History) -> Decision:
        """Decide when the interval of the depth lies above what matters."""
        epochs, values = self._curve(history)
        # The same curve gives the same answer: it is asked at looks, not at every epoch.
        if len(values) < 8 or history.done != epochs[-1] or not np.isfinite(values).all():
            return _GO_ON
        diagnosis = diagnose_curve(epochs, values, unit="value")
        if diagnosis.verdict != "u-shaped":
            return _GO_ON
        return Decision(int(diagnosis.turning_epoch), "the curve has turned")


@register_policy("minimum")
@dataclass(frozen=True)
class Minimum(_FromCurve):
    """See the whole of Mixup's own curve, then go back to its minimum: what early stopping would find at best."""

    def decide(self, history: History) -> Decision:
        """Decide at the end."""
        epochs, values = self._curve(history)
        if history.done < history.epochs or not len(values):
            return _waiting(epochs, values)
        return Decision(int(epochs[int(np.argmin(values))]), "minimum of the curve")


@register_policy("clean_margin")
@dataclass(frozen=True)
class CleanMargin(WithAllowed):
    """Switch once the clean training samples have a mean margin of a level: they are fitted, what is left is noise.

    Args:
        level: of the mean of ``p[y] - max over c != y of p[c]``, in (-1, 1).
    """

    level: float = 0.92

    allowed: ClassVar[Mapping[str, SettingRule]] = {"level": Within(-1, 1, "use a margin in (-1, 1)", without=(-1, 1))}

    def decide(self, history: History) -> Decision:
        """Decide from training data alone."""
        margins = [seen.margin for seen in history.observations if seen.margin is not None]
        if margins and margins[-1] >= self.level:
            return Decision(history.done, f"the clean training samples have a margin of {margins[-1]:.2f}")
        return _GO_ON


@register_policy("near_floor")
@dataclass(frozen=True)
class NearFloor(WithAllowed):
    """Switch once the training loss has come near its floor: little is left to fit but the labels of mixtures.

    Args:
        share: of the first epoch's distance to the floor that is left, in (0, 1).
    """

    share: float = 0.15

    allowed: ClassVar[Mapping[str, SettingRule]] = {
        "share": Within(0, 1, "use a share of the distance in (0, 1)", without=(0, 1))
    }

    def decide(self, history: History) -> Decision:
        """Decide from the training loss alone."""
        left = [fit.above_floor for fit in history.fits]
        if left and left[-1] <= self.share * left[0]:
            return Decision(history.done, f"the training loss is {left[-1]:.3f} above its floor")
        return _GO_ON


@register_policy("clean_error")
@dataclass(frozen=True)
class CleanError(_FromCurve):
    """Switch at a multiple of the epoch at which the clean training error reaches 0.

    Args:
        factor: the multiple, >= 1: an epoch before would have passed.
    """

    factor: float = 1.0

    allowed: ClassVar[Mapping[str, SettingRule]] = {
        **_FromCurve.allowed,
        "factor": Within(1, math.inf, "use a number >= 1", without=(math.inf,)),
    }

    def decide(self, history: History) -> Decision:
        """Decide from training data alone."""
        for seen in history.observations:
            if seen.split == "train" and seen.error == 0:
                at = round(self.factor * (seen.epoch + 1))
                return Decision(min(at, history.epochs), "clean training error is 0") if history.done >= at else _GO_ON
        return _GO_ON
