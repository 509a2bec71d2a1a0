"""A record as policies and rivals look at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from overmix._typing import Float, Int
from overmix.experiments.switch_benchmark.frozen.record import END_METRICS, record_file
from overmix.experiments.switch_benchmark.frozen.trainings import LONG_TAILS, SHORT_TAILS, Training, tail_epochs
from overmix.study.store.arrays import read_npz
from overmix.switch import Fit, Observation, Probe
from overmix.switch.policy import Split

_SPLITS: tuple[Split, ...] = ("val", "train")


@dataclass(frozen=True)
class RecordedTail:
    """One kind of recorded tails.

    Args:
        share: length, as a share of the training.
        mixing: whether it mixes.
    """

    share: float
    mixing: bool = False

    @property
    def name(self) -> str:
        """As records call it."""
        return f"{'mixed ' if self.mixing else ''}{'long ' if self.share in LONG_TAILS else ''}tail {self.share:g}"


@dataclass(frozen=True)
class FrozenRecord:
    """The record of a training of the list.

    Args:
        training: of the list.
        arrays: what :func:`~overmix.experiments.switch_benchmark.frozen.record.record` wrote.
    """

    training: Training
    arrays: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: Path, training: Training) -> FrozenRecord:
        """Read a record."""
        return cls(training, read_npz(record_file(folder, training)))

    @property
    def seeds(self) -> int:
        """Number of runs."""
        return self.training.seeds

    @property
    def grid(self) -> Int[np.ndarray, " grid"]:
        """Switch epochs, 0 and the last included."""
        return self.arrays["switch_epochs"]

    def run(self, at: int) -> str:
        """Return the name of the run that is switched at an epoch of the grid."""
        return "ERM" if at == 0 else "Mixup" if at == self.training.epochs else f"off at {at}"

    def error(self, run: str) -> Float[np.ndarray, " seeds"]:
        """Return the test error at a run's end."""
        n = len(self.arrays["y test"])
        wrong = np.unpackbits(self.arrays[f"{run}: wrong"], axis=-1)[:, :n]
        error: np.ndarray = wrong.mean(axis=-1)
        return error

    def curve(self, run: str, metric: str) -> Float[np.ndarray, "seeds looks"]:
        """Return a metric of :data:`END_METRICS` at a run's looks."""
        curve: np.ndarray = self.arrays[f"{run}: curve"][END_METRICS.index(metric)].astype(np.float64)
        return curve

    def averaged(self, run: str, metric: str = "test_error") -> Float[np.ndarray, " seeds"]:
        """Return a metric of the averaged weights at a run's end."""
        values: np.ndarray = self.arrays[f"{run}: averaged"][:, END_METRICS.index(metric)].astype(np.float64)
        return values

    @cached_property
    def finals(self) -> Float[np.ndarray, "grid seeds"]:
        """Test error of every switched run."""
        return np.stack([self.error(self.run(int(at))) for at in self.grid])

    def tail_metric(self, tail: RecordedTail, metric: str) -> Float[np.ndarray, "seeds epochs"]:
        """Return a metric after every recorded tail of a kind, at each epoch of the grid or of the long tails."""
        values: np.ndarray = self.arrays[f"{tail.name}: metrics"][..., END_METRICS.index(metric)].astype(np.float64)
        return values

    def tail_scores(self, tail: RecordedTail, seed: int, epoch: int) -> Float[np.ndarray, " val"]:
        """Return the Brier score of each held-out sample after a tail."""
        epochs = self.training.long_epochs if tail.share in LONG_TAILS else self.grid[:-1].tolist()
        scores: np.ndarray = self.arrays[f"{tail.name}: val brier"][seed, epochs.index(epoch)].astype(np.float64)
        return scores

    def probe(self, seed: int, epoch: int, tail: int) -> Probe:
        """Return the recorded probe whose tail is nearest in length."""
        epochs = self.training.epochs
        shares = (*SHORT_TAILS, *LONG_TAILS) if epoch in self.training.long_epochs else SHORT_TAILS
        share = min(shares, key=lambda share: abs(tail_epochs(share, epochs) - tail))
        scores = self.tail_scores(RecordedTail(share), seed, epoch)
        return Probe(epoch, tail_epochs(share, epochs), tuple(scores.tolist()))

    @cached_property
    def observations(self) -> list[tuple[Observation, ...]]:
        """Per seed what is observed of the run that mixes, in order."""
        return [tuple(self._observed(seed)) for seed in range(self.seeds)]

    def _observed(self, seed: int) -> list[Observation]:
        looks = []
        for at, epoch in enumerate(self.arrays["Mixup: epochs"].tolist()):
            for split in _SPLITS:
                error, entropy = (
                    float(self.arrays[f"Mixup: {split}_{name}"][seed, at]) for name in ("error", "cross_entropy")
                )
                brier = float(self.arrays["Mixup: val_brier"][seed, at]) if split == "val" else float("nan")
                n = self.training.val_size if split == "val" else self.training.train_size
                looks.append(Observation(epoch - 1, 1.0, n, brier, "brier", split, error, entropy))
        return looks

    def fits(self, seed: int) -> tuple[Fit, ...]:
        """Return how well the batches of the run that mixes were fitted."""
        losses, floors = (self.arrays[f"Mixup: mix {name}"][seed].tolist() for name in ("loss", "floor"))
        looks = zip(self.arrays["Mixup: epochs"].tolist(), losses, floors, strict=True)
        return tuple(Fit(e - 1, 1.0, self.training.train_size, loss, floor) for e, loss, floor in looks)
