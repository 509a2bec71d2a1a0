"""How every policy, schedule and rule ends on a recorded training, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from overmix._typing import Float, Int
from overmix.experiments.switch_benchmark.frozen.candidates import (
    CLEARLY,
    FIRST,
    POLICIES,
    SECOND,
    STAY,
    STOP,
    WATCHED,
)
from overmix.experiments.switch_benchmark.frozen.protocol import AT_ONE_LENGTH, FREE, STUDY
from overmix.experiments.switch_benchmark.frozen.reading import FrozenRecord, RecordedTail
from overmix.experiments.switch_benchmark.frozen.record import STEP
from overmix.experiments.switch_benchmark.frozen.trainings import DECAYS, LONG_TAILS, LONGER, SHORT_TAILS
from overmix.switch import Policy
from overmix.switch.replay import replay


@dataclass(frozen=True)
class Ended:
    """How a contender's runs ended on one training.

    Args:
        error: test error of each seed.
        cost: epochs trained, tails and discarded ones included, over those of one run.
        switch_at: epochs of Mixup of each seed, where that is decided.
        tails: what its probes cost alone, likewise.
    """

    error: Float[np.ndarray, " seeds"]
    cost: Float[np.ndarray, " seeds"]
    switch_at: Int[np.ndarray, " seeds"] | None = None
    tails: Float[np.ndarray, " seeds"] | None = None


def contenders(record: FrozenRecord) -> dict[str, Ended]:
    """Return all of them by name."""
    ended = {name: decided(policy, record) for name, policy in POLICIES.items()}
    ended |= {STAY: _or_stay(record, ended[SECOND]), STOP: _or_stop(record, ended[SECOND])}
    for name, run in FREE.items():
        ended[name] = _at(record, _on_grid(record, run), 1.0)
        ended[f"{name}, {LONGER:g} times as long"] = _at(record, f"longer {run}", LONGER)
    ended |= {name: _at(record, run, 1.0) for name, run in AT_ONE_LENGTH.items()}
    ended |= {name: rule(record) for name, rule in _RULES.items()}
    ended[STUDY_NAME] = _study(record, ended[SECOND])
    ended[WATCHED] = _watched(record, ended[FIRST])
    return ended


STUDY_NAME = "a study of all seeds"
BEST_LOOK = "best look of Mixup"


def decided(policy: Policy, record: FrozenRecord) -> Ended:
    """Replay a policy on every seed; what it wants between two epochs of the grid is done at the later one."""
    epochs, grid = record.training.epochs, record.grid
    at, costs, tails = [], [], []
    tail = policy.tail_epochs(epochs)
    for seed in range(record.seeds):
        replayed = replay(
            policy,
            epochs,
            record.observations[seed],
            also_at=grid.tolist(),
            probe=lambda epoch, tail, seed=seed: record.probe(seed, epoch, tail),  # type: ignore[misc]
            fits=record.fits(seed),
        )
        at.append(int(grid[np.searchsorted(grid, replayed.switch_at)]))
        costs.append(replace(replayed, switch_at=at[-1]).cost(epochs, tail))
        tails.append(tail * replayed.probes / epochs)
    switch_at = np.array(at)
    errors = record.finals[np.searchsorted(grid, switch_at), np.arange(record.seeds)]
    return Ended(errors, np.array(costs), switch_at, np.array(tails))


def _at(record: FrozenRecord, run: str, cost: float) -> Ended:
    return Ended(record.error(run), np.full(record.seeds, cost))


def _on_grid(record: FrozenRecord, run: str) -> str:
    """Return a run's name in the record, where the protocol names a share."""
    share = run.removeprefix("off at ")
    return record.run(round(float(share) * record.training.epochs)) if share != run else run


def _behind(one: np.ndarray, other: np.ndarray) -> float:
    """Return by how many standard errors of the paired difference one set of Brier scores is worse, by its roots."""
    difference = np.sqrt(one) - np.sqrt(other)
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return float(difference.mean() / error) if error > 0 else 0.0


def _or_stay(record: FrozenRecord, second: Ended) -> Ended:
    """Mix to the end where, at the epoch that would be switched at, a mixed tail is clearly better than a plain one."""
    share, epochs = SHORT_TAILS[0], record.training.epochs
    assert second.switch_at is not None
    at, errors = second.switch_at.copy(), second.error.copy()
    for seed, epoch in enumerate(second.switch_at.tolist()):
        if epoch == epochs:
            continue
        plain, mixed = (record.tail_scores(RecordedTail(share, mixing), seed, epoch) for mixing in (False, True))
        if _behind(plain, mixed) > CLEARLY:
            at[seed], errors[seed] = epochs, record.error("Mixup")[seed]
    assert second.tails is not None
    return Ended(errors, second.cost + second.tails, at)  # every probe has a second tail


def _or_stop(record: FrozenRecord, second: Ended) -> Ended:
    """Return the weights at the end of the probe where the run's end is clearly worse on held-out samples."""
    tail = RecordedTail(SHORT_TAILS[0])
    assert second.switch_at is not None
    errors = second.error.copy()
    for seed, epoch in enumerate(second.switch_at.tolist()):
        if epoch == record.training.epochs:
            continue
        place = int(np.flatnonzero(record.grid == epoch)[0])
        end = _brier(record, record.run(epoch), seed)
        if _behind(end, record.tail_scores(tail, seed, epoch)) > CLEARLY:
            errors[seed] = record.tail_metric(tail, "test_error")[seed, place]
    return Ended(errors, second.cost, second.switch_at)


def _watched(record: FrozenRecord, first: Ended) -> Ended:
    """Return the weights of the look since the switch with the lowest held-out Brier score."""
    assert first.switch_at is not None
    errors = first.error.copy()
    for seed, at in enumerate(first.switch_at.tolist()):
        run = record.run(at)
        since = np.flatnonzero(record.arrays[f"{run}: epochs"] > at)
        scores = record.curve(run, "val_brier")[seed, since]
        if not np.isfinite(scores).any():
            continue
        best = int(since[np.nanargmin(np.where(np.isfinite(scores), scores, np.nan))])
        if best < len(record.arrays[f"{run}: epochs"]) - 1:  # the end itself is known more precisely
            errors[seed] = record.curve(run, "test_error")[seed, best]
    return replace(first, error=errors)


def _brier(record: FrozenRecord, run: str, seed: int) -> np.ndarray:
    """Return the Brier score of each held-out sample at a run's end, from the kept logits."""
    below = record.arrays[f"{run}: val logits"][seed].astype(np.float64)
    weights = np.exp(-np.maximum(below - 0.5, 0) * STEP)
    p = weights / weights.sum(-1, keepdims=True)
    y = record.arrays["y val"][seed]
    scores: np.ndarray = (p**2).sum(-1) - 2 * p[np.arange(len(y)), y] + 1
    return scores


def _best_look(run: str) -> Callable[[FrozenRecord], Ended]:
    def rule(record: FrozenRecord) -> Ended:
        best = np.nan_to_num(record.curve(run, "val_brier"), nan=np.inf).argmin(1)
        return Ended(record.curve(run, "test_error")[np.arange(record.seeds), best], np.ones(record.seeds))

    return rule


def _averaged(run: str) -> Callable[[FrozenRecord], Ended]:
    return lambda record: Ended(record.averaged(_on_grid(record, run)), np.ones(record.seeds))


def _tuned_decay(record: FrozenRecord) -> Ended:
    """Return Mixup to the end at the weight decay whose held-out error, averaged over seeds, is lowest."""
    own = float(record.arrays["settings"][1])
    runs = [f"Mixup, weight decay {decay:g}" for decay in DECAYS[record.training.optimizer] if decay != own]
    runs.append("Mixup")
    held_out = [np.nan_to_num(record.curve(run, "val_error")[:, -1], nan=np.inf).mean() for run in runs]
    return _at(record, runs[int(np.argmin(held_out))], 1.0)


def _cooled_down(record: FrozenRecord) -> Ended:
    """Return the best recorded checkpoint by its held-out Brier score, after a long plain tail."""
    long = record.training.long_epochs
    places = [int(np.flatnonzero(record.grid == epoch)[0]) for epoch in long]
    best = record.tail_metric(RecordedTail(0.0), "val_brier")[:, places].argmin(1)
    ended = record.tail_metric(RecordedTail(LONG_TAILS[-1]), "test_error")[np.arange(record.seeds), best]
    return Ended(ended, np.full(record.seeds, 1 + LONG_TAILS[-1]), np.array(long)[best])


_RULES: Mapping[str, Callable[[FrozenRecord], Ended]] = {
    "Mixup, its weight decay tuned": _tuned_decay,
    "averaged weights, Mixup": _averaged("Mixup"),
    "averaged weights, off at 50 %": _averaged("off at 0.5"),
    "averaged weights, plain training": _averaged("ERM"),
    BEST_LOOK: _best_look("Mixup"),
    "best look of plain training": _best_look("ERM"),
    "best checkpoint, cooled down": _cooled_down,
}


def _study(record: FrozenRecord, second: Ended) -> Ended:
    """Return the condition whose held-out error, averaged over seeds, is lowest.

    It costs AutoSwitch, plain training, and of "off at 75 %" the last quarter: until there it is the run that mixes.
    """
    assert second.switch_at is not None
    held_out = {
        "AutoSwitch": np.array(
            [record.curve(record.run(at), "val_error")[seed, -1] for seed, at in enumerate(second.switch_at.tolist())]
        )
    }
    ends = {"AutoSwitch": second.error}
    for name in STUDY[1:]:
        run = _on_grid(record, name)
        held_out[name], ends[name] = record.curve(run, "val_error")[:, -1], record.error(run)
    chosen = min(STUDY, key=lambda name: float(np.nan_to_num(held_out[name], nan=np.inf).mean()))
    return Ended(ends[chosen], second.cost + 1 + 0.25)
