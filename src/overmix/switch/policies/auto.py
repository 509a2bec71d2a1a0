"""AutoSwitch: probe where plain training would end, and switch where that is best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import ClassVar

import numpy as np

from overmix.diagnose.numerals import written
from overmix.diagnose.turning import smooth
from overmix.switch.outcome import score_name
from overmix.switch.policies.allowed import AT_LEAST_0, Flag, Increasing, SettingRule, WithAllowed, Within
from overmix.switch.policies.registry import register_policy
from overmix.switch.policy import Decision, History, Observation, Probe

_SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4)
"""Where it looks by default: log-spaced, as over-training is a matter of the logarithm of the epoch."""

_LOOKS_FOR_A_MINIMUM = 5
"""Fewer looks at a run's own curve say nothing about where it turns."""

RULE = 2
"""Raised whenever a history may give another decision than before: kept with results that depend on it."""

_GIVE_UP, _CLEARLY = 3, 2.0
"""So many probes in a row, each worse by so many standard errors, end it before the guess: nothing better comes."""

_OFF_BY_DEFAULT = ("anywhere", "best")

_MOST_OF_A_SHORT_RUN = 0.35
"""What the tails of all probes may cost together, as a share of a training that is too short for tails of its share."""


@register_policy("auto")
@dataclass(frozen=True, repr=False)
class AutoSwitch(WithAllowed):
    """Switch at ``argmin_t B(t) + se * min(pull * log2(t / t0)^2, limit)``, B the mean score after a short plain tail.

    At log-spaced epochs t the training is copied, a short annealed tail of plain training is done, scored on held-out
    samples, and thrown away. A few hundred samples cannot tell neighbouring probes apart, and the best switch is seldom
    at either end: differences below the standard error ``se`` of a paired difference are therefore settled by a guess
    ``t0``, the share ``guess`` of the training, drawn by ``blend`` towards the minimum of the run's own smoothed
    curve. It never outweighs ``limit`` standard errors: what is clear from the scores is not overruled. Once the guess
    is passed, its own curve's minimum lies behind, and a later probe did not replace the one that is kept, the run goes
    back to that one and trains on without mixing; sooner if three probes in a row are worse by two standard errors.

    A score is the Brier score for predictions of classes, or the user's own, lower being better.

    It names an epoch wherever it had a probe that did not diverge. Where no probe is clearly better than another, the
    reason says that the guess settled it; where the first probe is the best, that there is little to gain from mixing.
    A tail that diverged is never the best; if all of them did, Mixup stays on, and the reason says that the training
    diverged.

    With a recipe for a task where switching off has done harm (contrastive learning, a shift between domains,
    regression: :attr:`overmix.mix.Recipe.off_doubt`) it goes on mixing without a probe, and says so, unless
    ``anywhere`` is set.

    Args:
        tail: length of a tail as a share of the training; at least two epochs are trained, so that trainings below
            50 epochs are probed less often, see :meth:`probe_epochs`.
        guess: the share of the training at which a switch is expected, in (0, 1).
        pull: how strongly the guess draws, >= 0; with 0 the lowest score is taken, however noisy.
        blend: weight of the own curve's minimum in the guess, in [0, 1], on the log axis.
        limit: how many standard errors the guess may outweigh, >= 0; ``inf`` for no limit.
        wait: it decides no earlier than ``wait`` times the epoch of its own curve's minimum.
        shares: where to probe, as shares of the training, increasing, in [0, 1). A share of 0 makes plain training from
            the start a candidate ("no Mixup"); after a short tail it seldom looks as good as it would become.
        anywhere: whether it decides where switching off has done harm, too.
        best: whether a run ends with the weights of the epoch since the switch whose own held-out score was lowest, in
            the place of its last ones: for plain training that over-trains. Held-out samples must be observed after
            every epoch. On the frozen benchmark it ends lower than without, by a replay that was added later.

    Raises:
        ConfigError: if a setting cannot work.

    Example:
        >>> AutoSwitch().probe_epochs(epochs=200), AutoSwitch().tail_epochs(epochs=200)
        ((3, 6, 12, 25, 38, 50, 75, 100, 150), 4)
    """

    tail: float = 0.02
    guess: float = 0.5
    pull: float = 2.0
    blend: float = 0.5
    limit: float = 3.0
    wait: float = 1.25
    shares: tuple[float, ...] = _SHARES
    anywhere: bool = False
    best: bool = False

    allowed: ClassVar[Mapping[str, SettingRule]] = {
        "tail": Within(0, 0.5, "use a share of the training in (0, 0.5]", without=(0,)),
        "guess": Within(0, 1, "use a share of the training in (0, 1)", without=(0, 1)),
        "pull": AT_LEAST_0,
        "blend": Within(0, 1, "use a weight in [0, 1]"),
        "limit": Within(0, math.inf, "use a number of standard errors >= 0"),
        "wait": AT_LEAST_0,
        "shares": Increasing(),
        "anywhere": Flag(),
        "best": Flag(),
    }

    def __post_init__(self) -> None:
        if isinstance(self.shares, Sequence):
            object.__setattr__(self, "shares", tuple(self.shares))  # a list would be no key of a cache
        super().__post_init__()

    def __repr__(self) -> str:
        # What is off is left out: results are kept with this text, and are those of before there was such a setting.
        shown = {f.name: getattr(self, f.name) for f in fields(self)}
        said = [f"{name}={value!r}" for name, value in shown.items() if value or name not in _OFF_BY_DEFAULT]
        return f"AutoSwitch({', '.join(said)})"

    def probe_epochs(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs of Mixup after which it probes.

        A tail has two epochs at least, however short the training. Where all of the default shares would therefore cost
        more than about 35 % of it, some are left out, evenly; where that leaves less than two, which could be compared,
        all are. Other shares are taken as they are.
        """
        epochs_at = sorted({max(1, round(share * epochs)) if share else 0 for share in self.shares} - {epochs})
        most = round(_MOST_OF_A_SHORT_RUN * epochs / self.tail_epochs(epochs))
        if self.shares != _SHARES or round(self.tail * epochs) >= self.tail_epochs(epochs) or len(epochs_at) <= most:
            return tuple(epochs_at)
        # The middle ones of equal groups: neither end is where the best switch lies.
        return tuple(epochs_at[int((group + 0.5) * len(epochs_at) / most)] for group in range(most)) if most > 1 else ()

    def tail_epochs(self, epochs: int) -> int:
        """Return the length of a tail in epochs."""
        return max(2, round(self.tail * epochs))

    def decide(self, history: History) -> Decision:
        """Return the best probe's epoch once it is clear that no better one comes."""
        probes, planned = history.probes, self.probe_epochs(history.epochs)
        if history.doubt and not self.anywhere:
            return Decision(history.epochs, _has_done_harm(history.doubt))
        if not planned:
            return Decision(history.epochs, "the training is too short for a probe")
        if not probes:
            return Decision(None, "no probe yet")
        kept = _kept(self, history.epochs, probes, _until(history, probes[-1].epoch))
        chosen = probes[kept]
        over = len(probes) == len(planned) or history.done >= history.epochs
        if not chosen.finite:
            diverged = "the training diverged: no probe has a finite score"
            return Decision(history.epochs if over else None, diverged)
        turn = own_minimum(history.observations)
        guess = self._guess(history.epochs, turn)
        reason = _reason(chosen, probes, guess)
        # A hair below the guess counts as there: epochs are whole.
        passed = probes[-1].epoch >= 0.99 * guess and history.done >= self.wait * (turn or 0)
        if over or (passed and chosen is not probes[-1]) or _hopeless(chosen, probes[kept + 1 :]):
            return Decision(chosen.epoch, reason, keep=chosen.epoch)
        return Decision(None, f"{reason}, so far", keep=chosen.epoch)

    def _guess(self, epochs: int, turn: float | None) -> float:
        """Return the epoch t0 that probes within the noise are settled by."""
        if turn is None:
            return self.guess * epochs
        turn = min(max(turn, 0.1 * epochs), 0.75 * epochs)
        return math.exp((1 - self.blend) * math.log(self.guess * epochs) + self.blend * math.log(turn))

    def _costs(self, probes: Sequence[Probe], guess: float) -> np.ndarray:
        """Return the probes' scores with the pull towards the guess."""
        scores = np.array([probe.score for probe in probes])
        distance = np.log2(np.array([max(probe.epoch, 1) for probe in probes]) / guess)
        pulls = np.minimum(self.pull * distance**2, self.limit)
        costs: np.ndarray = scores + _noise(probes, int(scores.argmin())) * pulls
        return costs


@lru_cache(maxsize=256)
def _kept(policy: AutoSwitch, epochs: int, probes: tuple[Probe, ...], looks: tuple[Observation, ...]) -> int:
    """Return the index of the probe whose state is kept: a later one replaces it if it was better when it was made.

    One state is held at a time, so that a probe that lost once cannot come back. Cached, since it changes with each
    probe only, and is asked for after every epoch.
    """
    kept = 0
    for newest in range(1, len(probes)):
        turn = own_minimum([seen for seen in looks if seen.epoch < probes[newest].epoch])
        costs = policy._costs(probes[: newest + 1], policy._guess(epochs, turn))
        if costs[newest] < costs[kept]:
            kept = newest
    return kept


def _hopeless(kept: Probe, later: Sequence[Probe]) -> bool:
    """Return whether the newest three probes after the kept one are each clearly worse than it."""
    newest = later[-_GIVE_UP:]
    return len(newest) == _GIVE_UP and all(_behind(probe, kept) > _CLEARLY for probe in newest)


def _behind(probe: Probe, other: Probe) -> float:
    """Return by how many standard errors of the paired difference a probe is worse than another."""
    if not probe.finite:
        return math.inf
    differences = np.subtract(probe.scores, other.scores)
    mean = float(differences.mean())
    spread = float(differences.std(ddof=1)) / math.sqrt(len(differences)) if len(differences) > 1 else math.inf
    return mean / spread if spread else math.copysign(math.inf, mean) if mean else 0.0


def _reason(chosen: Probe, probes: Sequence[Probe], guess: float) -> str:
    """Return why this probe is kept, beside the lowest one."""
    said = f"{score_name(probes)} {written(chosen.score, '.4f')} after {chosen.epoch} epochs"
    lowest = min(probes, key=lambda probe: probe.score)
    if lowest is not chosen:
        behind = (
            f"{said} is {_behind(chosen, lowest):.1f} standard errors behind the lowest, {written(lowest.score, '.4f')}"
        )
        return f"{behind} after {lowest.epoch}, and nearer to the guess of {guess:.0f}, which settles what is not clear"
    if chosen is probes[0] and len(probes) > 1:
        return f"{said} is the lowest of {len(probes)} probes, and the first: a later switch gains nothing"
    return f"{said} is the lowest of {len(probes)} probe{'s' if len(probes) > 1 else ''}"


def _has_done_harm(task: str) -> str:
    """Return why mixing stays on in a task where switching off has done harm."""
    return f"in {task} switching off has done harm (AutoSwitch(anywhere=True) decides all the same)"


def _until(history: History, epoch: int) -> tuple[Observation, ...]:
    return tuple(seen for seen in history.observations if seen.epoch < epoch)


def _noise(probes: Sequence[Probe], best: int) -> float:
    """Return the median standard error of the mean paired difference between a probe and the one with the best score.

    Paired, since all probes are scored on the same samples, most of which are equally easy or hard for all.
    """
    errors = [
        np.subtract(probe.scores, probes[best].scores).std(ddof=1) / math.sqrt(len(probe.scores))
        for number, probe in enumerate(probes)
        if number != best and len(probe.scores) > 1 and probe.finite
    ]
    return float(np.median(errors)) if errors else 0.0


def own_minimum(observations: Sequence[Observation]) -> float | None:
    """Return the epoch at which a run's own curve of scores, smoothed along log epoch, is lowest so far.

    ``None`` with fewer than five looks, or if one is not finite.
    """
    looks = [seen for seen in observations if seen.split == "val"]
    values = np.array([seen.score for seen in looks])
    if len(looks) < _LOOKS_FOR_A_MINIMUM or not np.isfinite(values).all():
        return None
    epochs = np.array([seen.epoch + 1 for seen in looks], dtype=np.float64)
    return float(epochs[int(smooth(epochs, values).argmin())])
