"""What ``diagnose_curve`` says of single runs of real trainings, against the verdict of the other seeds.

The records of both switch benchmarks hold the test error of several seeds per training, with Mixup to the end and
without. Each seed's curve is judged alone, with and without the number of test samples, and the others together, by
their spread: trainings of so few seeds that the others would be judged like one curve are left out. How large noise
is over its sampling error (`turn_test.SIZE_MEDIAN` and `SIZE_SPREAD`) was read from the first 68 of these very
trainings; nothing else was chosen on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from overmix.diagnose import diagnose_curve
from overmix.diagnose.autoregression import whitened
from overmix.diagnose.practical import MIN_SEEDS

FOLDERS = (Path("results/switch_benchmark"), Path("results/switch_frozen"))
LATE = 13  # last looks, of which noise is read: the last seven eighths of the epochs
MEMORIES = np.linspace(0, 0.98, 50)
N_BOOTSTRAP = 400

Curves = tuple[str, np.ndarray, np.ndarray, int]
"""Name, epochs, test errors of shape (seeds, looks), and number of test samples."""


def recorded() -> Iterator[Curves]:
    """Yield the curves of each training, with mixing and without."""
    for file in sorted(FOLDERS[0].glob("*.npz")):
        if not file.name.endswith(".first_run.npz"):
            with np.load(file) as record:
                for who in ("mixup", "erm"):
                    errors = record[f"{who}_test_error"].astype(float)
                    yield f"{file.stem} {who}", record["epochs"], errors, int(record["n_test"])
    for file in sorted(FOLDERS[1].glob("*.npz")):
        with np.load(file) as record:
            for who in ("Mixup", "ERM"):
                errors = record[f"{who}: curve"][0].astype(float)
                yield f"{file.stem} {who}", record[f"{who}: epochs"], errors, len(record["y test"])


def real_curves() -> dict[str, Any]:
    """Return counts of verdicts, and how noise behaves."""
    trainings = [curves for curves in recorded() if len(curves[2]) > MIN_SEEDS and np.isfinite(curves[2]).all()]
    known, unknown = Counter[str](), Counter[str]()
    for _, epochs, errors, n_test in trainings:
        for seed in range(len(errors)):
            others = diagnose_curve(epochs, np.delete(errors, seed, axis=0), unit="fraction", n_bootstrap=N_BOOTSTRAP)
            for counts, n in ((known, n_test), (unknown, None)):
                alone = diagnose_curve(epochs, errors[seed], unit="fraction", n_test=n, n_bootstrap=N_BOOTSTRAP)
                counts[f"{others.verdict}, {alone.verdict}"] += 1
    return {
        "trainings": len(trainings),
        "seeds": sorted({len(errors) for _, _, errors, _ in trainings}),
        "looks": sorted({len(epochs) for _, epochs, _, _ in trainings}),
        "verdicts_n_test": known,
        "verdicts": unknown,
        "noise": _noise(trainings),
    }


def _noise(trainings: list[Curves]) -> dict[str, Any]:
    """Memory from look to look and size over the sampling error, of what seeds differ by from their mean, late on."""
    memory, size, better = [], [], 0
    for _, epochs, errors, n_test in trainings:
        seeds, late = len(errors), errors[:, -LATE:]
        residual = (late - late.mean(axis=0)) * np.sqrt(seeds / (seeds - 1))
        by_look = [_fit(residual, np.full(LATE - 1, rho)) for rho in MEMORIES]
        gaps = np.diff(epochs[-LATE:].astype(float))
        by_epoch = [_fit(residual, rho ** (gaps / np.median(gaps))) for rho in MEMORIES]
        at = int(np.argmax([fit[0] for fit in by_look]))
        memory.append(float(MEMORIES[at]))
        size.append(by_look[at][1] / np.sqrt(late.mean() * (1 - late.mean()) / n_test))
        better += by_look[at][0] >= max(fit[0] for fit in by_epoch)
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    logs = np.log(size)
    return {
        "quantiles": shares,
        "memory": np.quantile(memory, shares).round(2).tolist(),
        "memory_mean": round(float(np.mean(memory)), 2),
        "memory_by_look_fits_better": int(better),
        "size": np.quantile(size, shares).round(2).tolist(),
        "size_median_fitted": round(float(np.exp(logs.mean())), 2),
        "size_spread_fitted": round(float(logs.std()), 2),
    }


def _fit(residual: np.ndarray, steps: np.ndarray) -> tuple[float, float]:
    """Restricted log-likelihood of noise with these correlations of neighbours, and its size; seeds have own levels."""
    white, level = _white(residual, steps), _white(np.ones((1, residual.shape[1])), steps)[0]
    white = white - np.outer(white @ level, level) / (level @ level)
    freedom = len(residual) * (residual.shape[1] - 1)
    variance = float((white**2).sum() / freedom)
    volume = len(residual) * (np.log(1 - steps**2).sum() + np.log(level @ level))
    return -0.5 * volume - 0.5 * freedom * np.log(variance), float(np.sqrt(variance))


def _white(rows: np.ndarray, steps: np.ndarray) -> np.ndarray:
    if np.ptp(steps) == 0:
        return whitened(rows, float(steps[0]))
    white = rows.copy()
    white[:, 1:] = (rows[:, 1:] - steps * rows[:, :-1]) / np.sqrt(1 - steps**2)
    return white
