"""From how contenders ended to the endpoints: means over data sets, with intervals over data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from overmix.diagnose import holm
from overmix.diagnose.practical import practical_size
from overmix.experiments.switch_benchmark.frozen.candidates import SECOND
from overmix.experiments.switch_benchmark.frozen.contenders import Ended
from overmix.experiments.switch_benchmark.frozen.protocol import AS_GOOD, BASE_ERROR, DRAW_SEED, DRAWS, FEWEST, LEVEL
from overmix.experiments.switch_benchmark.frozen.trainings import LONGER


@dataclass(frozen=True)
class Judged:
    """How all contenders did on one training.

    Args:
        training: its name.
        group: its data set.
        epochs: its length.
        kind: its model.
        error: of each contender, mean over seeds.
        cost: likewise.
        regret: against the other seeds' oracle, relative to its error or 5 %.
        within: whether it ends within the margin of the oracle.
        worse: p-value of ending above plain training, and above mixing to the end, by more than the margin.
        oracle: lowest mean error of the grid.
        switch_at: median epochs of Mixup, where that is decided.
    """

    training: str
    group: str
    epochs: int
    kind: str
    error: Mapping[str, float]
    cost: Mapping[str, float]
    regret: Mapping[str, float]
    within: Mapping[str, bool]
    worse: Mapping[str, tuple[float, float]]
    oracle: float
    switch_at: Mapping[str, float]


def regret(error: np.ndarray, finals: np.ndarray) -> float:
    """Return the mean of ``(error_s - final_s(t_s)) / max(mean final(t_s), 5 %)``, t_s the best epoch of other seeds.

    Args:
        error: of each seed, shape (S,).
        finals: of every switch epoch, shape (grid, S).

    Example:
        >>> round(regret(np.array([0.3, 0.3]), np.array([[0.2, 0.2], [0.4, 0.4]])), 6)
        0.5
    """
    seeds = finals.shape[1]
    total = 0.0
    for seed in range(seeds):
        others = np.delete(finals, seed, axis=1).mean(axis=1) if seeds > 1 else finals[:, 0]
        best = int(others.argmin())
        total += (error[seed] - finals[best, seed]) / max(float(others[best]), BASE_ERROR)
    return float(total / seeds)


def p_above(differences: np.ndarray, bound: float) -> float:
    """Return the one-sided p-value of Student's test that the mean of paired differences exceeds a bound."""
    n = len(differences)
    spread = differences.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    if not spread > 0:
        return 0.0 if differences.mean() > bound and spread == 0 else 1.0
    return float(special.stdtr(n - 1, -(differences.mean() - bound) / spread))


def judge(name: str, group: str, epochs: int, kind: str, ended: Mapping[str, Ended], finals: np.ndarray) -> Judged:
    """Return how all contenders did on one training."""
    lowest = float(finals.mean(axis=1).min())
    margin = practical_size(lowest)
    plain, mixed = ended["plain training"].error, ended["Mixup to the end"].error
    return Judged(
        training=name,
        group=group,
        epochs=epochs,
        kind=kind,
        error={who: float(one.error.mean()) for who, one in ended.items()},
        cost={who: float(one.cost.mean()) for who, one in ended.items()},
        regret={who: regret(one.error, finals) for who, one in ended.items()},
        within={who: bool(one.error.mean() <= lowest + margin) for who, one in ended.items()},
        worse={
            who: (
                p_above(one.error - plain, practical_size(float(plain.mean()))),
                p_above(one.error - mixed, practical_size(float(mixed.mean()))),
            )
            for who, one in ended.items()
        },
        oracle=lowest,
        switch_at={who: float(np.median(one.switch_at)) for who, one in ended.items() if one.switch_at is not None},
    )


def by_group(values: Sequence[float], groups: Sequence[str]) -> dict[str, float]:
    """Return the mean of each data set's trainings."""
    return {
        group: float(np.mean([v for v, g in zip(values, groups, strict=True) if g == group]))
        for group in dict.fromkeys(groups)
    }


def mean_and_interval(values: Sequence[float], groups: Sequence[str]) -> dict[str, Any]:
    """Return the mean over data sets of the means over their trainings, and its bootstrap interval over data sets.

    The interval is None with fewer than :data:`FEWEST` data sets.

    Example:
        >>> mean_and_interval([0.1, 0.3, 0.4], ["a", "a", "b"])["mean"]
        0.30000000000000004
    """
    means = np.array(list(by_group(values, groups).values()))
    if len(means) < FEWEST:
        return {"mean": float(means.mean()), "ci": None}
    rng = np.random.default_rng(DRAW_SEED)
    drawn = means[rng.integers(len(means), size=(DRAWS, len(means)))].mean(axis=1)
    ends = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"mean": float(means.mean()), "ci": [float(end) for end in ends]}


def compared(judged: Sequence[Judged], rival: str, policy: str = SECOND) -> dict[str, Any]:
    """Return how many points of error a policy gains over a rival, with its interval; positive where it is better."""
    gains = [one.error[rival] - one.error[policy] for one in judged]
    return mean_and_interval(gains, [one.group for one in judged])


def verdict(gain: Mapping[str, Any]) -> str:
    """Return what a gain and its interval say.

    Example:
        >>> verdict({"mean": 0.01, "ci": [0.004, 0.02]}), verdict({"mean": 0.0, "ci": [-0.004, 0.003]})
        ('better', 'as good')
        >>> verdict({"mean": 0.0, "ci": [-0.02, 0.03]}), verdict({"mean": 0.0, "ci": None})
        ('open', 'open')
    """
    if gain["ci"] is None:
        return "open"
    low, high = gain["ci"]
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "as good" if -AS_GOOD <= low and high <= AS_GOOD else "open"


def summary(judged: Sequence[Judged], who: str) -> dict[str, Any]:
    """Return a contender's row of the table."""
    groups = [one.group for one in judged]
    harm = [holm([one.worse[who][side] for one in judged]) for side in (0, 1)]
    return {
        "name": who,
        "gain": compared(judged, who),
        "regret": mean_and_interval([one.regret[who] for one in judged], groups),
        "within": mean_and_interval([float(one.within[who]) for one in judged], groups)["mean"],
        "worse_than_plain": sum(p is not None and p < 0.05 for p in harm[0]),
        "worse_than_mixed": sum(p is not None and p < 0.05 for p in harm[1]),
        "over_plain": mean_and_interval([one.error[who] - one.error["plain training"] for one in judged], groups),
        "over_mixed": mean_and_interval([one.error[who] - one.error["Mixup to the end"] for one in judged], groups),
        "cost": mean_and_interval([one.cost[who] for one in judged], groups)["mean"],
        "cost_max": max(one.cost[who] for one in judged),
    }


PRIMARY = f"off at 50 %, {LONGER:g} times as long"
"""The free schedule that was chosen beforehand, at the steps that AutoSwitch may cost."""
