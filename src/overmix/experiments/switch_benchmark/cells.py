"""The trainings of the benchmark, written down before any of them was run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from overmix.files.folders import made_folder
from overmix.study.store.arrays import npz_bytes
from overmix.study.store.files import write_bytes

CHOSEN_ON = ("digits", "fashion_mnist")
"""Policies and their settings were chosen on these data sets; on all others they are reported."""

FRESH = ("letter", "satellite", "vowel", "vehicle", "dna")
"""Recorded after everything was chosen; the other reported data sets had been looked at several times by then."""

CellSplit = Literal["chosen on", "reported on", "fresh"]

_SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4)
"""Switch epochs of the grid, as shares of the training; 0 (ERM) and 1 (Mixup to the end) are candidates too."""

SEEDS = 8

Model = Literal["mlp", "convnet"]


@dataclass(frozen=True)
class BenchmarkCell:
    """One training set-up.

    Args:
        data: name of the data set.
        train_size: training samples per seed.
        epochs: length of the training.
        model: ``"mlp"`` (two hidden layers of 256) or ``"convnet"``.
        recipe: as in a study file.
        lr_schedule: constant, cosine or multistep (a tenth from 50 % on, a hundredth from 75 % on).
        weight_decay: coefficient.
        val_size: held-out samples.
    """

    data: str
    train_size: int
    epochs: int
    model: Model = "mlp"
    recipe: str = "Mixup"
    lr_schedule: str = "constant"
    weight_decay: float = 0.0
    val_size: int = 200

    @property
    def name(self) -> str:
        """A name that says it all, usable as a file name."""
        decay = f"-wd{self.weight_decay:g}" if self.weight_decay else ""
        return f"{self.data}{self.train_size}-{self.model}-{self.recipe}-{self.lr_schedule}{decay}-{self.epochs}"

    @property
    def split(self) -> CellSplit:
        """What this cell is for: choosing policies, reporting them, or reporting them unseen."""
        return "chosen on" if self.data in CHOSEN_ON else "fresh" if self.data in FRESH else "reported on"

    @property
    def switch_epochs(self) -> list[int]:
        """The grid of switch epochs, 0 and the last included."""
        inner = {max(1, round(share * self.epochs)) for share in _SHARES}
        return sorted({0, *inner, self.epochs})

    def study(self, folder: Path) -> dict[str, Any]:
        """Return the study of Mixup to the end, for :func:`overmix.study.parse_study`.

        Args:
            folder: where arrays of tabular data are written.
        """
        data: dict[str, Any] = {"name": self.data, "train_size": self.train_size, "val_size": self.val_size}
        if self.data in TABULAR:
            data |= {"name": "npz", "path": str(TABULAR[self.data](folder))}
        return {
            "name": self.name,
            "data": data,
            "model": self.model,
            "train": {
                "epochs": self.epochs,
                "batch_size": 64,
                "optimizer": {"lr": 0.05, "weight_decay": self.weight_decay},
                "lr_schedule": {"name": self.lr_schedule},
            },
            "compare": [{"name": "Mixup", "recipe": self._recipe()}],
            "seeds": SEEDS,
        }

    def _recipe(self) -> dict[str, dict[str, Any]]:
        if self.recipe == "ManifoldMixup":
            # After the first and the second non-linearity.
            return {"ManifoldMixup": {"alpha": 1.0, "layers": ["input", "2", "4"]}}
        return {self.recipe: {"alpha": 1.0}}


def _breast_cancer(folder: Path) -> Path:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return _written(folder / "breast_cancer.npz", x, y)


def _synthetic(folder: Path) -> Path:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        n_samples=3000, n_features=20, n_informative=10, n_classes=5, flip_y=0.05, class_sep=1.0, random_state=0
    )
    return _written(folder / "synthetic.npz", x, y)


def _from_mlbench(table: str, label: str, drop: tuple[str, ...] = ()) -> Callable[[Path], Path]:
    """Return a maker of the arrays of one of the tables in :mod:`~overmix.experiments.switch_benchmark.mlbench`."""

    def make(folder: Path) -> Path:
        from overmix.experiments.switch_benchmark.mlbench import read_mlbench

        return _written(folder / f"{table}.npz", *read_mlbench(table, label, drop))

    return make


def _written(path: Path, x: np.ndarray, y: np.ndarray) -> Path:
    made_folder(path.parent)
    # Whole at every moment: another worker may read what it wrote itself a moment ago.
    write_bytes(path, npz_bytes({"x": x.astype(np.float32), "y": y}))
    return path


TABULAR: dict[str, Callable[[Path], Path]] = {
    "breast_cancer": _breast_cancer,
    "synthetic": _synthetic,
    "letter": _from_mlbench("LetterRecognition", "lettr"),
    "satellite": _from_mlbench("Satellite", "classes"),
    "vowel": _from_mlbench("Vowel", "Class", drop=("V1",)),  # V1 names the speaker
    "vehicle": _from_mlbench("Vehicle", "Class"),
    "dna": _from_mlbench("DNA", "Class"),
}

CELLS = (
    BenchmarkCell("digits", 200, 1000),
    BenchmarkCell("digits", 200, 1000, lr_schedule="cosine"),
    BenchmarkCell("digits", 200, 300, lr_schedule="multistep", weight_decay=5e-4),
    BenchmarkCell("digits", 200, 1000, recipe="CutMix"),
    BenchmarkCell("digits", 200, 300, recipe="ManifoldMixup"),
    BenchmarkCell("digits", 200, 200, model="convnet", lr_schedule="cosine"),
    BenchmarkCell("fashion_mnist", 300, 300),
    BenchmarkCell("fashion_mnist", 300, 300, lr_schedule="cosine", weight_decay=5e-4),
    BenchmarkCell("fashion_mnist", 300, 300, recipe="CutMix", lr_schedule="multistep"),
    BenchmarkCell("fashion_mnist", 300, 200, model="convnet", lr_schedule="cosine"),
    BenchmarkCell("fashion_mnist", 300, 200, model="convnet", recipe="CutMix"),
    BenchmarkCell("mnist1d", 640, 512),
    BenchmarkCell("mnist1d", 640, 512, lr_schedule="cosine"),
    BenchmarkCell("mnist1d", 640, 512, weight_decay=5e-4),
    BenchmarkCell("mnist1d", 640, 300, recipe="ManifoldMixup"),
    BenchmarkCell("mnist1d", 320, 200, model="convnet", lr_schedule="cosine"),
    BenchmarkCell("breast_cancer", 200, 1000, val_size=150),
    BenchmarkCell("breast_cancer", 200, 300, lr_schedule="cosine", val_size=150),
    BenchmarkCell("synthetic", 300, 1000),
    BenchmarkCell("synthetic", 300, 300, lr_schedule="cosine", weight_decay=5e-4),
    BenchmarkCell("synthetic", 300, 300, recipe="ManifoldMixup", lr_schedule="multistep"),
    BenchmarkCell("letter", 520, 1000),
    BenchmarkCell("letter", 520, 300, lr_schedule="cosine", weight_decay=5e-4),
    BenchmarkCell("satellite", 300, 1000),
    BenchmarkCell("satellite", 300, 300, recipe="ManifoldMixup", lr_schedule="multistep"),
    BenchmarkCell("vowel", 300, 512),
    BenchmarkCell("vehicle", 250, 300, lr_schedule="cosine", val_size=150),
    BenchmarkCell("dna", 300, 300),
    BenchmarkCell("dna", 300, 1000, lr_schedule="cosine"),
)
