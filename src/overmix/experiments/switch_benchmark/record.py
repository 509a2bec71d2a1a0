"""Record all that a policy could ask of a training: its curves, probes everywhere, and every switched run's end.

Policies are then pure functions of the record, and a new one is judged in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from overmix.experiments.switch_benchmark.cells import BenchmarkCell
from overmix.study import parse_study
from overmix.study.data import Dataset
from overmix.study.plan.cells import Cell, StackTask, expand
from overmix.study.plan.trainings import execution_of, open_dataset, training_of
from overmix.study.spec.named import NamedSchedule
from overmix.study.store.arrays import npz_bytes
from overmix.train import Execution, StackResult, StackTraining

TAILS = (0.02, 0.05)
"""Lengths of the recorded probes' tails, as shares of the training."""

TEST_SAMPLES = 2000
"""At most so many test samples are scored; more would cost more than the training."""

SIGNALS = (
    "test_error",
    "val_error",
    "val_cross_entropy",
    "val_brier",
    "train_error",
    "train_cross_entropy",
    "train_margin",
)


def tail_epochs(share: float, epochs: int) -> int:
    """Return the length of a tail in epochs, at least 2."""
    return max(2, round(share * epochs))


def record_file(out: Path, cell: BenchmarkCell) -> Path:
    """Return the file of a cell."""
    return out / f"{cell.name}.npz"


def opened(cell: BenchmarkCell, out: Path) -> tuple[list[Cell], Dataset, Execution]:
    """Return the runs of Mixup to the end, one per seed, their data, and how they are trained."""
    cells = expand(parse_study(cell.study(out / "data")))
    dataset = open_dataset(cells[0].data)
    dataset = replace(dataset, x_test=dataset.x_test[:TEST_SAMPLES], y_test=dataset.y_test[:TEST_SAMPLES])
    return cells, dataset, execution_of(cells[0], dataset, "cpu", allow_code=False)


def record(cell: BenchmarkCell, out: Path) -> bytes:
    """Train a cell in every way, and return the content of its record."""
    mixup_cells, dataset, execution = opened(cell, out)

    def training(switch_at: int | None) -> StackTraining:
        schedule = NamedSchedule("always" if switch_at is None else {"off_at": switch_at})
        cells = [replace(cell, schedule=schedule) for cell in mixup_cells]
        return training_of(StackTask(tuple(cells), execution, "cpu"), dataset, allow_code=False)

    arrays = _trained(cell, training)
    arrays["n_test"] = np.array(len(dataset.y_test))
    return npz_bytes(arrays)


def _trained(cell: BenchmarkCell, training: Callable[[int | None], StackTraining]) -> dict[str, np.ndarray]:
    grid = cell.switch_epochs
    mixup = training(None)
    states, probes = _trajectory(cell, mixup)
    erm = training(0)
    _, erm_probes = _trajectory(cell, erm)
    finals = {}
    for epoch in grid[1:-1]:
        # Up to the switch a switched run is the Mixup run bit for bit: the rest is all there is to train.
        switched = training(epoch)
        switched.load_state_dict(states.pop(epoch))
        finals[epoch] = _final(switched)
    finals |= {0: _final(erm), cell.epochs: _final(mixup)}
    result, erm_result = mixup.result(), erm.result()
    arrays: dict[str, np.ndarray] = {
        "switch_epochs": np.array(grid),
        # (metric, switch epoch, seed)
        "final": np.stack([finals[epoch] for epoch in grid], axis=1).astype(np.float32),
        "epochs": result.epochs,
    }
    for name in SIGNALS:
        arrays[f"mixup_{name}"] = result.metrics[name].astype(np.float32)
        arrays[f"erm_{name}"] = erm_result.metrics[name].astype(np.float32)
    arrays |= fits_of(result)
    for share in TAILS:
        arrays[f"probe_{share}"] = probes[share]
        arrays[f"erm_probe_{share}"] = erm_probes[share]
    return arrays


def fits_of(mixup: StackResult) -> dict[str, np.ndarray]:
    """Return the training loss at every look, and what no model's is below."""
    return {"mix_loss": mixup.mix_loss.astype(np.float32), "mix_floor": mixup.mix_floor.astype(np.float32)}


FINAL = ("test_error", "test_brier", "test_ece", "val_error", "val_brier")


def _final(training: StackTraining) -> np.ndarray:
    """Train to the end and return the last look, shape (metric, seed)."""
    metrics = training.train().metrics
    return np.stack([metrics[name][:, -1] for name in FINAL])


def _trajectory(
    cell: BenchmarkCell, training: StackTraining
) -> tuple[dict[int, dict[str, torch.Tensor]], dict[float, np.ndarray]]:
    """Train to the end; return the states on the grid, and the probes there, shape (seed, switch epoch, sample)."""
    states: dict[int, dict[str, torch.Tensor]] = {}
    probes: dict[float, list[np.ndarray]] = {share: [] for share in TAILS}
    wanted = set(cell.switch_epochs[:-1])

    def look(now: StackTraining) -> None:
        if now.step or now.epoch not in wanted:
            return
        states[now.epoch] = now.state_dict()
        for share in TAILS:
            probes[share].append(now.probe(tail_epochs(share, cell.epochs)))

    look(training)
    training.train(after_step=look)
    # Half precision: three digits of a score between 0 and 2.
    return states, {share: np.stack(scores, axis=1).astype(np.float16) for share, scores in probes.items()}
