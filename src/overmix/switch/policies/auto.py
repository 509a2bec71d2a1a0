"""AutoSwitch: probe where plain training would end, and switch where that is best."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from overmix.errors import ConfigError
from overmix.switch.policy import Decision, History, Probe

SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4)
"""Where it looks by default: log-spaced, as over-training is a matter of the logarithm of the epoch."""


@dataclass(frozen=True)
class AutoSwitch:
    """Switch at ``argmin_t B(t)``, B(t) the held-out Brier score after a short annealed tail of plain training from t.

    At log-spaced epochs the training is copied, a tail without mixing is trained and scored on held-out samples, and
    thrown away. Once the score has been worse than its best at ``patience`` probes in a row, the run goes back to the
    best one and trains on without mixing. Scores of two probes are compared sample by sample: a probe counts as better
    only by more than ``margin`` standard errors of the mean paired difference, since many candidates are scored on few
    samples.

    Args:
        tail: length of a tail as a share of the training; at least two epochs are trained.
        patience: probes that must be worse before it decides.
        margin: in standard errors.
        shares: where to probe, as shares of the training, increasing, in [0, 1).

    Raises:
        ConfigError: if a setting cannot work.

    Example:
        >>> AutoSwitch().probe_epochs(epochs=200), AutoSwitch().tail_epochs(epochs=200)
        ((3, 6, 12, 25, 38, 50, 75, 100, 150), 4)
    """

    tail: float = 0.02
    patience: int = 2
    margin: float = 0.0
    shares: tuple[float, ...] = SHARES

    def __post_init__(self) -> None:
        if not 0 < self.tail <= 0.5:
            raise ConfigError("tail", self.tail, "use a share of the training in (0, 0.5]")
        if self.patience < 1:
            raise ConfigError("patience", self.patience, "use an integer >= 1")
        if not 0 <= self.margin < math.inf:
            raise ConfigError("margin", self.margin, "use a number of standard errors >= 0")
        increasing = all(a < b for a, b in zip(self.shares, self.shares[1:], strict=False))
        if not self.shares or not increasing or not 0 <= self.shares[0] or not self.shares[-1] < 1:
            raise ConfigError("shares", self.shares, "use increasing shares of the training in [0, 1)")

    def probe_epochs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs of Mixup after which it probes."""
        return tuple(sorted({max(1, round(share * epochs)) for share in self.shares} - {epochs}))

    def tail_epochs(self, epochs: int) -> int:
        """Return the length of a tail in epochs."""
        return max(2, round(self.tail * epochs))

    def decide(self, history: History) -> Decision:
        """Return the best probe's epoch once it is clear that no better one comes."""
        probes = history.probes
        if not probes:
            return Decision(None, "no probe yet", keep=history.done)
        best = self._best(probes)
        found = probes[best]
        worse = len(probes) - 1 - best
        summary = f"Brier score {found.score:.4f} after {found.epoch} epochs of Mixup"
        planned = self.probe_epochs(history.epochs)
        if worse >= self.patience:
            return Decision(
                found.epoch, f"{summary} is the lowest of {len(probes)} probes; the last {worse} were worse"
            )
        if history.done >= planned[-1] and len(probes) == len(planned):
            return Decision(found.epoch, f"{summary} is the lowest of all {len(probes)} probes")
        return Decision(None, f"{summary} is the lowest so far", keep=found.epoch)

    def _best(self, probes: tuple[Probe, ...]) -> int:
        """Return the index of the best probe; a later one must beat it by the margin."""
        best = 0
        for number in range(1, len(probes)):
            difference = np.subtract(probes[number].brier, probes[best].brier)
            error = difference.std(ddof=1) / math.sqrt(len(difference)) if len(difference) > 1 else 0.0
            if difference.mean() < -self.margin * error:
                best = number
        return best
