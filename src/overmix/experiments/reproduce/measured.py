"""A finished study as arrays, with what claims are read from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from overmix.diagnose import (
    Comparison,
    Diagnosis,
    TurnComparison,
    compare_turns,
    diagnose_ensemble,
    paired_difference,
    smooth,
)
from overmix.errors import DataError
from overmix.study.analyse.cell_result import CellResult


class Measured:
    """The runs of a study by condition; diverged seeds are left out of all conditions.

    Args:
        cells: every run.
        floors: per condition that mixes to the end, the lowest training loss that a model can reach.
    """

    def __init__(self, cells: Sequence[CellResult], floors: dict[str, float] | None = None) -> None:
        lost = {cell.seed for cell in cells if cell.diverged}
        self.floors = floors or {}
        self.n_lost = len(lost)
        self._cells: dict[str, list[CellResult]] = {}
        for cell in sorted(cells, key=lambda cell: cell.seed):
            self._cells.setdefault(cell.condition, []).append(cell)
        self._cells = {name: [c for c in mine if c.seed not in lost] for name, mine in self._cells.items()}
        if not all(self._cells.values()):
            raise DataError("every seed diverged in some condition: lower the learning rate")
        self.diagnosis = cache(self._diagnosis)

    @property
    def names(self) -> list[str]:
        """Names of the conditions."""
        return list(self._cells)

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(next(iter(self._cells.values())))

    def epochs(self, name: str) -> np.ndarray:
        """Return the evaluated epochs, shape (T,)."""
        return self._cells[name][0].epochs

    def steps(self, name: str) -> np.ndarray:
        """Return the optimizer steps at the evaluated epochs, shape (T,)."""
        return self.epochs(name) * self._cells[name][0].steps_per_epoch

    def wrong(self, name: str) -> np.ndarray:
        """Return the misclassified test samples, shape (seeds, T, samples)."""
        return np.stack([cell.wrong for cell in self._cells[name]])

    def values(self, name: str, metric: str) -> np.ndarray:
        """Return a metric, shape (seeds, T)."""
        return np.stack([np.asarray(cell.values[metric], dtype=np.float64) for cell in self._cells[name]])

    def smoothed(self, name: str, metric: str) -> np.ndarray:
        """Return a metric, smoothed along log epoch; shape (seeds, T)."""
        return np.asarray(smooth(self.epochs(name), self.values(name, metric)))

    def _diagnosis(self, name: str) -> Diagnosis:
        return diagnose_ensemble(self.epochs(name), self.wrong(name))

    def turning_index(self, name: str) -> int:
        """Return the index of the turning epoch."""
        return int(np.flatnonzero(self.epochs(name) == self.diagnosis(name).turning_epoch)[0])

    def final(self, a: str, b: str) -> Comparison:
        """Return the difference of the final test errors, paired."""
        return paired_difference(self.wrong(a)[:, -1], self.wrong(b)[:, -1])

    def turns(self, a: str, b: str, *, of: str = "epochs") -> TurnComparison:
        """Compare the turning points of two conditions, in ``"epochs"`` or in ``"steps"``."""
        times = (self.epochs, self.steps)[of == "steps"]
        return compare_turns(times(a), self.wrong(a), times(b), self.wrong(b))

    def best_on_validation(self, names: Sequence[str]) -> str:
        """Return the condition with the lowest mean Brier score at the end on the held-out samples."""
        return min(names, key=lambda name: float(self.values(name, "val_brier")[:, -1].mean()))

    def row(self, name: str) -> dict[str, object]:
        """Return a condition's numbers for a table."""
        diagnosis = self.diagnosis(name).to_dict()
        diagnosis |= {"lowest": diagnosis["best"], "lowest_ci": diagnosis["best_ci"]}
        keys = ("final", "final_ci", "lowest", "lowest_ci", "turning_epoch", "turning_epoch_ci", "depth", "depth_ci",
                "delta", "verdict")  # fmt: skip
        return {
            "name": name,
            "n": self.n,
            "epochs": int(self.epochs(name)[-1]),
            "steps_per_epoch": self._cells[name][0].steps_per_epoch,
            **{key: diagnosis[key] for key in keys},
        }
