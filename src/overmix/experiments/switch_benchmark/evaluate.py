"""Judge policies on the recorded trainings, and write the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from scipy import special

from overmix.diagnose import holm
from overmix.diagnose.interval import t_interval
from overmix.diagnose.practical import practical_size
from overmix.experiments.switch_benchmark.cells import CELLS, BenchmarkCell, CellSplit
from overmix.experiments.switch_benchmark.first_run import HELD_OUT_SHARE
from overmix.experiments.switch_benchmark.record import record_file
from overmix.experiments.switch_benchmark.replay import CellRecord, SameSteps, replay_cell
from overmix.switch import AutoSwitch, HeldOut, Policy
from overmix.switch.policies.baselines import (
    CleanError,
    CleanMargin,
    Fixed,
    GeneralizationLoss,
    IncToDec,
    Minimum,
    NearFloor,
    Patience,
    Turned,
)

POLICIES: dict[str, Policy | HeldOut] = {
    "ERM": Fixed(0.0),
    "Mixup to the end": Fixed(1.0),
    "off at 25 %": Fixed(0.25),
    "off at 37.5 %": Fixed(0.375),
    "off at 50 %": Fixed(0.5),
    "off at 75 %": Fixed(0.75),
    "minimum of the validation error": Minimum("error"),
    "minimum of the validation Brier score": Minimum("brier"),
    "patience (Brier score)": Patience("brier"),
    "generalization loss (cross-entropy)": GeneralizationLoss("cross_entropy"),
    "CatBoost's IncToDec (Brier score)": IncToDec("brier"),
    "turning point with its interval (Brier score)": Turned("brier"),
    "clean training error is 0": CleanError(),
    "three times as long as to a clean training error of 0": CleanError(factor=3.0),
    "clean training margin is 0.92": CleanMargin(),
    "training loss near its floor": NearFloor(),
    "clean training loss no longer falls": Patience("cross_entropy", split="train"),
    "lowest probe": AutoSwitch(pull=0.0, blend=0.0),
    "AutoSwitch with tails of 5 %": AutoSwitch(tail=0.05),
    "AutoSwitch, its guess at 30 %": AutoSwitch(guess=0.3, blend=0.3, pull=1.0),
    "AutoSwitch, its guess without a limit": AutoSwitch(limit=float("inf")),
    "AutoSwitch": AutoSwitch(),
    "no validation set: lowest probe": HeldOut(AutoSwitch(pull=0.0, blend=0.0), HELD_OUT_SHARE),
    "no validation set: AutoSwitch, same steps": SameSteps(AutoSwitch(), HELD_OUT_SHARE),
    "no validation set: AutoSwitch, its guess at 30 %": HeldOut(
        AutoSwitch(guess=0.3, blend=0.3, pull=1.0), HELD_OUT_SHARE
    ),
    "no validation set: AutoSwitch": HeldOut(AutoSwitch(), HELD_OUT_SHARE),
}


@dataclass(frozen=True)
class PolicyOnCell:
    """One policy on one cell; errors are fractions of the test set, means over seeds.

    Args:
        policy: its name.
        cell: name of the cell.
        split: what this cell is for.
        error: how its runs ended.
        regret: its error minus the oracle's, over the oracle's.
        over_best_plain: its error minus the lower one of ERM and Mixup to the end.
        over_erm: its error minus that of ERM.
        p_worse: p-value of being worse than ERM by more than the margin, one-sided, seeds paired.
        cost: mean epochs trained over those of one run.
        cost_max: the largest.
        early: share of its runs that switched before the oracle's safe range.
        late: share that switched after it.
        needless: share that mixed although no switch on the grid gains the margin over ERM.
        switch_at: median switch epoch.
    """

    policy: str
    cell: str
    split: CellSplit
    error: float
    regret: float
    over_best_plain: float
    over_erm: float
    p_worse: float
    cost: float
    cost_max: float
    early: float
    late: float
    needless: float
    switch_at: float


def judge(name: str, policy: Policy | HeldOut, record: CellRecord) -> PolicyOnCell:
    """Return how a policy did on a recorded cell."""
    outcomes = [replay_cell(policy, record, seed) for seed in range(record.seeds)]
    finals, grid = record.final(), record.grid
    means = finals.mean(axis=1)
    oracle = int(means.argmin())
    delta = practical_size(means[oracle])
    safe = grid[means <= means[oracle] + delta]
    at = np.array([outcome.switch_at for outcome in outcomes])
    policy_finals = finals[np.searchsorted(grid, at), np.arange(record.seeds)]
    costs = np.array([outcome.cost for outcome in outcomes])
    against_erm = policy_finals - finals[0]
    mixes_in_vain = means[0] - means[oracle] < delta
    return PolicyOnCell(
        policy=name,
        cell=record.cell.name,
        split=record.cell.split,
        error=float(policy_finals.mean()),
        regret=float((policy_finals.mean() - means[oracle]) / means[oracle]),
        over_best_plain=float(policy_finals.mean() - min(means[0], means[-1])),
        over_erm=float(against_erm.mean()),
        p_worse=_p_above(against_erm, practical_size(means[0])),
        cost=float(costs.mean()),
        cost_max=float(costs.max()),
        early=float((at < safe.min()).mean()),
        late=float((at > safe.max()).mean()),
        needless=float((at > 0).mean()) if mixes_in_vain else 0.0,
        switch_at=float(np.median(at)),
    )


def _p_above(differences: np.ndarray, bound: float) -> float:
    """Return the one-sided p-value of Student's test that the mean exceeds a bound."""
    n = len(differences)
    spread = differences.std(ddof=1) / np.sqrt(n)
    if spread == 0:
        return 1.0 if differences.mean() <= bound else 0.0
    return float(special.stdtr(n - 1, -(differences.mean() - bound) / spread))


def evaluate(
    folder: Path, cells: Sequence[BenchmarkCell] = CELLS, policies: Mapping[str, Policy | HeldOut] = POLICIES
) -> dict[str, Any]:
    """Return the table of all policies on all recorded cells.

    Args:
        folder: of the records.
        cells: those without a record are left out, and named.
        policies: by name.
    """
    records = [CellRecord.read(folder, cell) for cell in cells if record_file(folder, cell).exists()]
    rows = [
        judge(name, policy, record)
        for name, policy in policies.items()
        for record in records
        if record.first or not isinstance(policy, HeldOut)
    ]
    return {
        "cells": [_cell(record) for record in records],
        "missing": [cell.name for cell in cells if not record_file(folder, cell).exists()],
        "missing_first_runs": [record.cell.name for record in records if not record.first],
        "policies": [
            _summary(name, split, [row for row in rows if row.policy == name and row.split == split])
            for name in policies
            for split in get_args(CellSplit)
            if any(row.policy == name and row.split == split for row in rows)
        ],
        "rows": [vars(row) for row in rows],
    }


def _cell(record: CellRecord) -> dict[str, Any]:
    means = record.final().mean(axis=1)
    return {
        "name": record.cell.name,
        "split": record.cell.split,
        "seeds": record.seeds,
        "n_test": int(record.arrays["n_test"]),
        "switch_epochs": record.grid.tolist(),
        "error": means.round(5).tolist(),
        "oracle": int(record.grid[means.argmin()]),
    }


def _summary(name: str, split: str, rows: Sequence[PolicyOnCell]) -> dict[str, Any]:
    regrets = np.array([row.regret for row in rows])
    corrected = holm([row.p_worse for row in rows])
    return {
        "policy": name,
        "split": split,
        "cells": len(rows),
        "regret": float(regrets.mean()),
        "regret_ci": list(t_interval(regrets) or (float(regrets.mean()),) * 2),
        "regret_max": float(regrets.max()),
        "over_best_plain": float(np.mean([row.over_best_plain for row in rows])),
        "over_erm_max": float(max(row.over_erm for row in rows)),
        "worse_than_erm": int(sum(p is not None and p < 0.05 for p in corrected)),
        "cost": float(np.mean([row.cost for row in rows])),
        "cost_max": float(max(row.cost for row in rows)),
        "early": float(np.mean([row.early for row in rows])),
        "late": float(np.mean([row.late for row in rows])),
        "needless": float(np.mean([row.needless for row in rows])),
    }
