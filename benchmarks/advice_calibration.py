"""Is what the advice calls shown right, and does its range hold the best switch epoch?

Six trainings of 32 seeds each stand for the truth: perceptrons on digits, on MNIST-1D, on a table of scikit-learn, on made
data with noisy labels and with unequal classes, and one that is stopped far too early.

    python benchmarks/advice_calibration.py --train    # once, about ten core-minutes; goes on where it stopped
    python benchmarks/advice_calibration.py            # judges, and writes results/advice_calibration.json
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: BLAS reads it when it is loaded

import argparse
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path("runs/advice_calibration")
SEEDS = 32
SHARES = (1 / 8, 1 / 4, 1 / 2, 3 / 4)


def _made(folder: Path, name: str) -> str:
    """Write the arrays of a data set that is made, or that scikit-learn holds, and return where."""
    from sklearn.datasets import load_breast_cancer, make_classification

    if name == "breast_cancer":
        x, y = load_breast_cancer(return_X_y=True)
    else:
        shares = [0.75, 0.1, 0.1, 0.05] if name == "unequal" else None
        x, y = make_classification(
            n_samples=1500, n_features=20, n_informative=10, n_classes=4, flip_y=0.1, weights=shares, random_state=1
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npz"
    np.savez(path, x=x.astype(np.float32), y=y)
    return str(path.resolve())


def trainings(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the studies, by name."""

    def study(name: str, data: dict[str, Any], epochs: int, lr: float, **train: Any) -> dict[str, Any]:
        return {
            "name": name,
            "data": data,
            "model": {"name": "mlp", "hidden": [128]},
            "train": {"epochs": epochs, "batch_size": 50, "optimizer": {"lr": lr}, **train},
            "compare": [
                {"name": "ERM", "recipe": "NoMixup", "schedule": "never"},
                {"name": "Mixup"},
                *({"name": f"off at {share:g}", "schedule": {"off_at": share}} for share in SHARES),
            ],
            "seeds": SEEDS,
            "executor": {"workers": 1},
        }

    def npz(name: str, train_size: int, val_size: int) -> dict[str, Any]:
        return {"name": "npz", "path": _made(folder, name), "train_size": train_size, "val_size": val_size}

    digits = {"name": "digits", "train_size": 150, "val_size": 40}
    studies = [
        study("digits", digits, 320, 0.1),
        study("mnist1d", {"name": "mnist1d", "train_size": 400, "val_size": 100}, 160, 0.05, lr_schedule="cosine"),
        study("breast_cancer", npz("breast_cancer", 150, 40), 200, 0.05),
        study("noisy", npz("noisy", 200, 50), 200, 0.05),
        study("unequal", npz("unequal", 200, 50), 200, 0.05),
        study("too short", digits, 16, 0.005),
    ]
    return {content["name"]: content for content in studies}


def train(folder: Path) -> None:
    from overmix.study import parse_study, run_study

    for name, content in trainings(folder).items():
        run_study(parse_study(content), folder / name.replace(" ", "_"))
        print(name, "done", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    if arguments.train:
        train(arguments.folder)
