"""Replay a policy on a recorded training: the same signals that it would see in a run, in the same order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from overmix._typing import Float, Int
from overmix.experiments.switch_benchmark.cells import BenchmarkCell
from overmix.experiments.switch_benchmark.first_run import TAIL, first_run_file
from overmix.experiments.switch_benchmark.record import FINAL, TAILS, record_file, tail_epochs
from overmix.study.store.arrays import read_npz
from overmix.switch import Fit, HeldOut, Observation, Policy, Probe
from overmix.switch.policy import Split
from overmix.switch.replay import replay as replay_policy

_SPLITS: tuple[Split, ...] = ("val", "train")


@dataclass(frozen=True)
class SameSteps(HeldOut):
    """As it is, but the second run switches after as many steps as the first, not after as many epochs.

    To the nearest epoch of the grid, on the log axis.
    """


@dataclass(frozen=True)
class DecidedRun:
    """What a policy did in one run.

    Args:
        switch_at: epochs of Mixup in the run that came out, an epoch of the grid.
        decided_at: epochs trained when it decided.
        probes: how many tails it trained.
        cost: epochs trained in all, tails and discarded ones included, over those of one run.
        reason: the policy's own.
    """

    switch_at: int
    decided_at: int
    probes: int
    cost: float
    reason: str


@dataclass(frozen=True)
class CellRecord:
    """A recorded cell.

    Args:
        cell: the set-up.
        arrays: what :func:`record` wrote.
        first: what :func:`record_first_run` wrote; empty if it has not.
    """

    cell: BenchmarkCell
    arrays: dict[str, np.ndarray]
    first: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, cell: BenchmarkCell) -> CellRecord:
        """Read a cell's record."""
        first = first_run_file(folder, cell)
        return cls(cell, read_npz(record_file(folder, cell)), read_npz(first) if first.exists() else {})

    def of_first_run(self) -> CellRecord:
        """Return what a run sees that trains on a part of the samples and holds out the rest; it ends as this one."""
        held = self.first[f"probe_{TAIL}"].shape[-1]
        cell = replace(self.cell, val_size=held, train_size=self.cell.train_size - held)
        return CellRecord(cell, {**self.arrays, **self.first})

    @property
    def grid(self) -> Int[np.ndarray, " grid"]:
        """Switch epochs, 0 and the last included."""
        return self.arrays["switch_epochs"]

    @property
    def seeds(self) -> int:
        """Number of runs."""
        return int(self.arrays["final"].shape[-1])

    def final(self, metric: str = "test_error") -> Float[np.ndarray, "grid seeds"]:
        """Return how each switched run ended."""
        final: np.ndarray = self.arrays["final"][FINAL.index(metric)].astype(np.float64)
        return final

    @cached_property
    def observations(self) -> list[list[Observation]]:
        """Per seed what was observed, in order."""
        return [list(self._observed(seed)) for seed in range(self.seeds)]

    def _observed(self, seed: int) -> list[Observation]:
        observations = []
        for at, epoch in enumerate(self.arrays["epochs"]):
            for split in _SPLITS:
                error, entropy = (
                    float(self.arrays[f"mixup_{split}_{name}"][seed, at]) for name in ("error", "cross_entropy")
                )
                brier = float(self.arrays["mixup_val_brier"][seed, at]) if split == "val" else float("nan")
                margin = float(self.arrays["mixup_train_margin"][seed, at]) if split == "train" else None
                n = self.cell.val_size if split == "val" else self.cell.train_size
                observation = Observation(int(epoch) - 1, 1.0, n, brier, "brier", split, error, entropy, margin=margin)
                observations.append(observation)
        return observations

    @cached_property
    def fits(self) -> list[list[Fit]]:
        """Per seed how well the training's own batches were fitted, in order."""
        return [self._fits(seed) for seed in range(self.seeds)]

    def _fits(self, seed: int) -> list[Fit]:
        losses, floors = (self.arrays[f"mix_{name}"][seed].astype(np.float64) for name in ("loss", "floor"))
        looks = zip(self.arrays["epochs"], losses.tolist(), floors.tolist(), strict=True)
        return [Fit(int(epoch) - 1, 1.0, self.cell.train_size, loss, floor) for epoch, loss, floor in looks]

    def probe(self, seed: int, epoch: int, tail: int) -> Probe:
        """Return the recorded probe."""
        share = min(TAILS, key=lambda share: abs(tail_epochs(share, self.cell.epochs) - tail))
        at = int(np.flatnonzero(self.grid == epoch)[0])
        losses = self.arrays[f"probe_{share}"][seed, at].astype(np.float64)
        return Probe(epoch, tail_epochs(share, self.cell.epochs), tuple(losses.tolist()))


def replay_cell(policy: Policy | HeldOut, record: CellRecord, seed: int) -> DecidedRun:
    """Let a policy decide on a recorded run, or on the first of two.

    A policy that wants to switch between two epochs of the grid switches at the later one, as a run that looks only
    there would.
    """
    if isinstance(policy, HeldOut):
        return _replay_both(policy, record, seed)
    epochs, grid = record.cell.epochs, record.grid
    replayed = replay_policy(
        policy,
        epochs,
        record.observations[seed],
        also_at=grid.tolist(),
        probe=lambda epoch, tail: record.probe(seed, epoch, tail),
        fits=record.fits[seed],
    )
    at = int(grid[np.searchsorted(grid, replayed.switch_at)])
    # Going on until the grid's next epoch discards nothing.
    cost = replace(replayed, switch_at=at).cost(epochs, policy.tail_epochs(epochs))
    return DecidedRun(at, replayed.done, replayed.probes, cost, replayed.reason)


def _replay_both(how: HeldOut, record: CellRecord, seed: int) -> DecidedRun:
    seen = replay_cell(how.policy, record.of_first_run(), seed)
    epochs, grid = record.cell.epochs, record.grid
    relative = float(np.divide(*record.first["steps_per_epoch"]))
    first = relative * (seen.decided_at + how.policy.tail_epochs(epochs) * seen.probes) / epochs
    at = seen.switch_at
    if isinstance(how, SameSteps) and 0 < at < epochs:
        at = int(grid[1 + np.abs(np.log2(grid[1:] / (relative * at))).argmin()])
    return replace(seen, switch_at=at, cost=1 + first)
