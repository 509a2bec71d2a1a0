"""Record the first runs of a training without a validation set: what a part of its own samples says.

How the second runs end is in the records of :mod:`~overmix.experiments.switch_benchmark.record` already: they train on
all samples, and are switched at an epoch of the same grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overmix.experiments.switch_benchmark.cells import BenchmarkCell
from overmix.experiments.switch_benchmark.record import fits_of, opened, tail_epochs
from overmix.study.plan.cells import StackTask
from overmix.study.plan.trainings import training_with
from overmix.study.store.arrays import npz_bytes
from overmix.switch import Decision, HeldOut, History
from overmix.train import RepeatedTraining

HELD_OUT_SHARE = 0.2
"""Of the training samples that are held out."""

TAIL = 0.02
"""Length of the recorded probes' tails, as a share of the training."""

SIGNALS = ("val_error", "val_cross_entropy", "val_brier", "train_error", "train_cross_entropy", "train_margin")


@dataclass(frozen=True)
class Looking:
    """Probes at every switch epoch of a grid and never decides: all that a policy could see."""

    grid: tuple[int, ...]

    def probe_epochs(self, epochs: int) -> tuple[int, ...]:
        """Probe everywhere."""
        return self.grid[:-1]

    def tail_epochs(self, epochs: int) -> int:
        """Return the length of the recorded tails."""
        return tail_epochs(TAIL, epochs)

    def decide(self, history: History) -> Decision:
        """Go on."""
        return Decision(None, "it only looks")


def first_run_file(out: Path, cell: BenchmarkCell) -> Path:
    """Return the file of a cell's first runs."""
    return out / f"{cell.name}.first_run.npz"


def record_first_run(cell: BenchmarkCell, out: Path) -> bytes:
    """Train the first runs of a cell to their end, and return what was seen, as a file's content."""
    cells, dataset, execution = opened(cell, out)
    # It scores the test samples as well, which nothing here looks at.
    training = training_with(
        HeldOut(Looking(tuple(cell.switch_epochs)), HELD_OUT_SHARE), StackTask(tuple(cells), execution, "cpu"), dataset
    )
    assert isinstance(training, RepeatedTraining)
    first = training.first
    result = first.train()
    probes = [[probe.scores for probe in first.history(r).probes] for r in range(len(cells))]
    arrays: dict[str, np.ndarray] = {
        "epochs": result.epochs,
        "steps_per_epoch": np.array([first.steps_per_epoch, training.steps_per_epoch]),
        # Half precision: three digits of a score between 0 and 2.
        f"probe_{TAIL}": np.array(probes, dtype=np.float16),
        **{f"mixup_{name}": result.metrics[name].astype(np.float32) for name in SIGNALS},
        **fits_of(result),
    }
    return npz_bytes(arrays)
