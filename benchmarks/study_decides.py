"""How far from the best switch does a study end that decides together, by its number of seeds?

By replay of the 29 trainings in results/switch_benchmark, eight seeds each: the conditions that a study compares by
default (ERM, Mixup, off at 75 %, off by AutoSwitch), the one of them with the lowest held-out error averaged over the
seeds of the study, and its test error over all eight seeds, against the best switch of the recorded grid. Relative
regret. Beside it: does Mixup's own curve turn before its best switch, and where it does not turn, is the end as good?

The four conditions were found on these very data; the intervals are over trainings, clustered by data set.

    python benchmarks/study_decides.py    # writes results/study_decides.json (about a minute)
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: BLAS reads it when it is loaded

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from overmix.diagnose import smooth
from overmix.experiments.switch_benchmark.cells import CELLS
from overmix.experiments.switch_benchmark.replay import CellRecord, replay_cell
from overmix.switch import AutoSwitch

FOLDER, RESULTS = Path("results/switch_benchmark"), Path("results/study_decides.json")
NUMBERS = (1, 2, 4, 8)
CLEAR = 0.05  # of the lowest error: switches that differ by less are not ordered


def compared(record: CellRecord) -> tuple[dict[str, np.ndarray], float]:
    """Return, by condition, its switch's place in the grid for each seed, and what all of them cost in runs."""
    seeds = np.arange(record.seeds)
    outcomes = [replay_cell(AutoSwitch(), record, int(seed)) for seed in seeds]
    at = {
        "ERM": 0,
        "Mixup": len(record.grid) - 1,
        "off at 75 %": int(np.abs(record.grid - 0.75 * record.grid[-1]).argmin()),
    }
    places = {name: np.full(record.seeds, place) for name, place in at.items()}
    places["AutoSwitch"] = np.searchsorted(record.grid, [outcome.switch_at for outcome in outcomes])
    # ERM, the whole run of Mixup, the last quarter of another, and what AutoSwitch trains beyond Mixup's beginning.
    beyond = [o.cost - min(o.switch_at, o.decided_at) / record.cell.epochs for o in outcomes]
    return places, 1 + 1 + 0.25 + float(np.mean(beyond))


def regrets(record: CellRecord, places: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the relative regret of studies of each size, and of each condition alone."""
    test, val, seeds = record.final(), record.final("val_error"), np.arange(record.seeds)
    oracle = float(test.mean(axis=1).min())
    ends = {name: float(test[at, seeds].mean()) for name, at in places.items()}
    held_out = {name: val[at, seeds] for name, at in places.items()}
    alone = {name: end / oracle - 1 for name, end in ends.items()}
    together = {}
    for n in NUMBERS:
        chosen = [
            ends[min(held_out, key=lambda name, these=list(study): held_out[name][these].mean())]
            for study in combinations(range(record.seeds), n)
        ]
        together[str(n)] = float(np.mean(chosen)) / oracle - 1
    return alone | together


def turn_and_best(record: CellRecord) -> tuple[float, float, bool, bool]:
    """Return where Mixup's own held-out curve turns, its best switch, whether it turns, and whether the end is as good.

    The best switch is that of the test errors. It turns, and is not as good, by 5 % of the lowest error.
    """
    epochs = record.arrays["epochs"].astype(float)
    curve = smooth(epochs, record.arrays["mixup_val_error"].astype(float).mean(axis=0))
    means = record.final().mean(axis=1)
    best = int(means[1:].argmin()) + 1
    turns = curve[-1] - curve.min() > CLEAR * curve.min()
    as_good = means[-1] - means[best] <= CLEAR * means[best]
    return float(epochs[curve.argmin()]), float(record.grid[best]), bool(turns), bool(as_good)


def clustered(values: Sequence[float], data: Sequence[str]) -> list[float]:
    """Return a bootstrap interval of a mean over trainings that draws whole data sets."""
    rng, names = np.random.default_rng(0), sorted(set(data))
    of = {name: np.array([v for v, d in zip(values, data, strict=True) if d == name]) for name in names}
    draws = [
        np.concatenate([of[names[i]] for i in rng.integers(len(names), size=len(names))]).mean() for _ in range(2000)
    ]
    return [round(float(q), 4) for q in np.quantile(draws, [0.025, 0.975])]


def measure() -> dict[str, Any]:
    records = [CellRecord.read(FOLDER, cell) for cell in CELLS]
    choices = [compared(record) for record in records]
    rows = [regrets(record, places) for record, (places, _) in zip(records, choices, strict=True)]
    data = [record.cell.data for record in records]
    turns = [turn_and_best(record) for record in records]
    over_trains = [(turn, best) for turn, best, turned, _ in turns if turned]
    return {
        "trainings": len(records),
        "data_sets": len(set(data)),
        "cost": round(float(np.mean([cost for _, cost in choices])), 2),
        "regret": {
            name: {
                "mean": round(float(np.mean([row[name] for row in rows])), 4),
                "interval": clustered([row[name] for row in rows], data),
            }
            for name in rows[0]
        },
        "turn": {
            "curves_that_turn": len(over_trains),
            "best_switch_at_or_after_the_turn": sum(best >= turn for turn, best in over_trains),
            "curves_that_do_not": len(turns) - len(over_trains),
            "end_as_good_as_any_switch": sum(as_good for _, _, turned, as_good in turns if not turned),
            "median_best_over_turn": round(float(np.median([best / turn for turn, best in over_trains])), 2),
        },
    }


if __name__ == "__main__":
    RESULTS.write_text(json.dumps(measure(), indent=1) + "\n")
