"""Is what the advice calls shown right, and does its range hold the best switch epoch?

Six trainings of 32 seeds each: perceptrons on digits, on MNIST-1D, on a table of scikit-learn, on made data with noisy
labels and with unequal classes, and one that is stopped far too early. Each is divided into four studies of eight
seeds, five times over; the four share no seed, those of different divisions do. What a study says is held against the
means of the 24 seeds that it has not seen.

    python benchmarks/advice_calibration.py --train    # once, about ten core-minutes; goes on where it stopped
    python benchmarks/advice_calibration.py            # judges, and writes results/advice_calibration.json
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: BLAS reads it when it is loaded

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from overmix.diagnose import Diagnosis, Evidence, advise
from overmix.diagnose.practical import practical_size
from overmix.study.analyse.cell_result import ConditionResult
from overmix.study.analyse.evidence import best_checkpoint, compare, compare_scores, evidence_of

FOLDER = Path("runs/advice_calibration")
RESULTS = Path("results/advice_calibration.json")
SEEDS, STUDY, PARTITIONS = 32, 8, 5
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


def judged(name: str, folder: Path) -> Iterator[tuple[str, str, bool]]:
    """Give the claims of every study of eight of the seeds: what is claimed, how surely, and whether it holds.

    It holds if the means of the other 24 seeds say so, on the same test samples: the test samples' share of an interval
    is not put to the test here.
    """
    from overmix.study.analyse.result import load_cells
    from overmix.study.spec.parse import parse_study
    from overmix.study.spec.roles import roles_of

    spec, cells = parse_study(trainings(folder)[name]), load_cells(folder / name.replace(" ", "_"))
    conditions = [
        ConditionResult(entry, one, role, sorted((c for c in cells if c.condition == one), key=lambda c: c.seed))
        for entry, one, role in zip(spec.compare, spec.condition_names, roles_of(spec), strict=True)
    ]
    rng = np.random.default_rng(0)
    for _ in range(PARTITIONS):
        for seeds in rng.permutation(SEEDS).reshape(-1, STUDY):
            study, others = of_seeds(conditions, seeds), of_seeds(conditions, set(range(SEEDS)) - set(seeds))
            truth = {c.name: evidence(c) for c in others}
            brier = {c.name: float(np.mean([cell.values["test_brier"][-1] for cell in c.cells])) for c in others}
            yield from _claims(study, truth, brier)


def of_seeds(conditions: Iterable[ConditionResult], seeds: Iterable[int]) -> list[ConditionResult]:
    """Return the conditions with some of their seeds alone."""
    order = sorted(seeds)
    return [ConditionResult(c.spec, c.name, c.role, [c.cells[seed] for seed in order]) for c in conditions]


def evidence(condition: ConditionResult) -> Evidence:
    """Return what is known of a condition, its own curve's verdict left out: no claim here rests on it."""
    curve = np.mean([cell.wrong.mean(axis=-1) for cell in condition.cells], axis=0)
    lowest = float(curve.min())
    diagnosis = Diagnosis(
        verdict="undecided",
        turning_epoch=int(condition.cells[0].epochs[curve.argmin()]),
        turning_epoch_ci=None,
        best=lowest,
        final=float(curve[-1]),
        depth=float(curve[-1] - lowest),
        depth_ci=None,
        delta=practical_size(lowest),
        n_seeds=len(condition.cells),
        n_epochs=len(curve),
    )
    return evidence_of(condition, diagnosis, best_checkpoint(condition.alive))


def _claims(
    study: Sequence[ConditionResult], truth: Mapping[str, Evidence], brier: Mapping[str, float]
) -> Iterator[tuple[str, str, bool]]:
    advice = advise([evidence(c) for c in study], compare(study), compare_scores(study))
    mix, until, step = advice.mix, advice.until, advice.next
    mixing = [e for e in truth.values() if e.role != "erm"]
    erm, end = truth["ERM"], truth["Mixup"]
    none_gains = all(erm.final - e.final < e.delta for e in mixing)
    if "to the end" in mix.sentence and mix.answer in ("plain", "open"):
        strength = "likely" if "end, likely" in mix.sentence else "shown"
        yield "worse to the end", strength, end.final > erm.final
    if mix.answer == "mix":
        yield "mix", mix.strength, erm.final > truth[advice.gain_of].final
    elif mix.answer in ("plain", "same"):
        yield "no form gains", mix.strength, none_gains
    elif mix.answer == "unsaid":
        yield "still falls", "shown", all(e.fall is not None and e.fall.difference > 0 for e in truth.values())
    if until.answer == "switch":
        yield "switch", until.strength, truth[advice.gain_of].final < end.final
    elif until.answer == "end":
        yield "to the end", until.strength, end.final == min(e.final for e in mixing)
    if until.interval is not None:
        best = min(mixing, key=lambda e: e.final).mixed_epochs
        yield "range", "range", until.interval[0] <= best <= until.interval[1]
    if step.answer == "stop":
        yield "stop plain training", step.strength, erm.stopping.difference > 0
    if advice.probabilities is not None:
        better = brier[advice.gain_of] < brier["ERM"]
        yield "probabilities", advice.probabilities.strength, better == (advice.probabilities.answer == "better")


def summarised(claims: Sequence[tuple[str, str, str, bool]], strength: str) -> dict[str, Any]:
    """Return how many claims hold. The interval is Clopper and Pearson's of as many studies as share no seed."""
    right = [holds for _, _, how, holds in claims if how == strength]
    n, share = len(right), float(np.mean(right)) if right else None
    if share is None:
        return {"claims": 0, "right": None, "interval": None}
    apart = max(1, round(n / PARTITIONS))
    hits = share * apart
    low = float(special.betaincinv(hits, apart - hits + 1, 0.025)) if hits > 0 else 0.0
    high = float(special.betaincinv(hits + 1, apart - hits, 0.975)) if hits < apart else 1.0
    return {"claims": n, "apart": apart, "right": round(share, 4), "interval": [round(low, 3), round(high, 3)]}


def judge(folder: Path) -> dict[str, Any]:
    """Return the table."""
    claims = [(name, *claim) for name in trainings(folder) for claim in judged(name, folder)]
    rows = sorted({(name, what, strength) for name, what, strength, _ in claims})
    return {
        "trainings": list(trainings(folder)),
        "seeds": SEEDS,
        "study": STUDY,
        "studies": PARTITIONS * SEEDS // STUDY,
        "all": {strength: summarised(claims, strength) for strength in ("shown", "likely", "open", "range")},
        "rows": [
            {
                "training": name,
                "claim": what,
                "strength": strength,
                "n": len(these := [c[3] for c in claims if c[:3] == (name, what, strength)]),
                "right": round(float(np.mean(these)), 3),
            }
            for name, what, strength in rows
        ],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true", help="train what is missing of the six")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    if arguments.train:
        train(arguments.folder)
    else:
        RESULTS.write_text(json.dumps(judge(arguments.folder), indent=1) + "\n")
