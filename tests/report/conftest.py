"""A finished study shaped like the digits prototype, drawn from formulas: 3 conditions, 16 seeds, 60 epochs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from overmix.study import StudyResult, Summary
from overmix.study.analyse.record_json import from_json

SPLITS = ("test", "val", "train")


class FakeResult(StudyResult):
    """A result whose summary is always what ``document``, the content of ``summary.json``, says at the moment."""

    def __init__(self, spec: dict[str, Any], document: dict[str, Any], curves: pl.DataFrame) -> None:
        for name, value in (("spec", spec), ("document", document), ("curves", curves)):
            object.__setattr__(self, name, value)

    @property
    def summary(self) -> Summary:
        return from_json(self.document)

    def but(self, *, document: dict[str, Any] | None = None, curves: pl.DataFrame | None = None) -> FakeResult:
        return FakeResult(
            self.spec,
            self.document if document is None else document,
            self.curves if curves is None else curves,
        )

    def with_floor(self, floor: dict[str, float] | None) -> FakeResult:
        return self.but(document={**self.document, "floor": floor})


def epoch_grid(last: int, size: int = 60) -> np.ndarray:
    return np.unique(np.round(np.geomspace(1, last, size)).astype(int))


def _fall(epoch: np.ndarray, start: float, end: float, half: float, power: float = 1.5) -> np.ndarray:
    return end + (start - end) / (1 + (epoch / half) ** power)


def _mixup_error(epoch: np.ndarray) -> np.ndarray:
    rise = np.clip(np.log(epoch / 128) / np.log(1000 / 128), 0, None) ** 1.3
    return _fall(epoch, 0.80, 0.066, 3.0) + 0.026 * rise


def _shapes(kind: str, epoch: np.ndarray, switch: int | None) -> dict[str, np.ndarray]:
    """The mean curves of one condition: test error, training loss, clean training error."""
    if kind == "erm":
        return {
            "error": _fall(epoch, 0.82, 0.0735, 2.4),
            "loss": _fall(epoch, 2.2, 0.0004, 4.0, 2.2),
            "train": _fall(epoch, 0.8, 0.0, 3.0, 4.0),
        }
    mixed = {
        "error": _mixup_error(epoch),
        "loss": _fall(epoch, 2.25, 0.62, 6.0) - 0.13 * (epoch / 1000) ** 0.4,
        "train": _fall(epoch, 0.82, 0.0, 4.0, 3.0),
    }
    if switch is None:
        return mixed
    after = epoch > switch
    settle = 1 - np.exp(-(epoch - switch).clip(0) / 12)
    mixed["error"] = np.where(after, 0.066 + (0.061 - 0.066) * settle, mixed["error"])
    mixed["loss"] = np.where(after, 0.02 * np.exp(-(epoch - switch).clip(0) / 60) + 0.0005, mixed["loss"])
    return mixed


def make_curves(
    conditions: list[dict[str, Any]], *, seeds: int, epochs: int, val: bool = True, rng_seed: int = 0
) -> pl.DataFrame:
    epoch = epoch_grid(epochs)
    rows = []
    for c in conditions:
        kind = "erm" if c["role"] == "erm" else "mixup"
        shape = _shapes(kind, epoch, c["switch_epoch"])
        mixing = np.zeros(len(epoch)) if kind == "erm" else (epoch <= (c["switch_epoch"] or epochs)).astype(float)
        for seed in range(seeds):
            rng = np.random.default_rng([rng_seed, seed, kind == "erm"])  # a switched run is its Mixup run's twin
            offset = rng.normal(0, 0.006)
            noise = np.convolve(rng.normal(0, 0.004, len(epoch) + 2), [0.25, 0.5, 0.25], "valid")
            error = np.clip(shape["error"] + offset + noise, 0.001, 1)
            columns: dict[str, Any] = {
                "condition": c["name"],
                "seed": seed,
                "epoch": epoch,
                "step": 3 * epoch,
                "mixing": mixing,
                "lr": 0.05,
                "mix_loss": shape["loss"] * (1 + rng.normal(0, 0.01, len(epoch))),
            }
            for split in SPLITS:
                e = shape["train"] if split == "train" else error
                e = e + rng.normal(0, 0.002, len(epoch)) * (split == "val")
                missing = split == "val" and not val
                # A mixing network is under-confident; ERM ends over-confident.
                ece = 0.02 + 0.043 * mixing * epoch**0.15 + 0.035 * (1 - mixing) * epoch / epochs
                ece = ece + rng.normal(0, 0.004, len(epoch))
                values = {"error": e, "cross_entropy": 4 * e + 0.4 * ece, "brier": 1.5 * e + ece**2, "ece": ece}
                for name, v in values.items():
                    columns[f"{split}_{name}"] = None if missing else v
            rows.append(pl.DataFrame(columns))
    frame = pl.concat(rows, how="vertical_relaxed")
    floats = [c for c in frame.columns if c not in ("condition", "seed", "epoch", "step")]
    return frame.with_columns(pl.col(floats).cast(pl.Float64))


CONDITIONS = [
    {"name": "ERM", "role": "erm", "switch_epoch": None, "verdict": "monotone"},
    {"name": "Mixup", "role": "mixup", "switch_epoch": None, "verdict": "u-shaped"},
    {"name": "Mixup → ERM @128", "role": "switched", "switch_epoch": 128, "verdict": "monotone"},
]


def _ci(value: float, half: float, seeds: int) -> list[float] | None:
    return None if seeds == 1 else [value - half, value + half]


def summarise(curves: pl.DataFrame, conditions: list[dict[str, Any]], *, seeds: int, epochs: int) -> dict[str, Any]:
    rows = []
    for c in conditions:
        mine = curves.filter(pl.col("condition") == c["name"])
        mean = mine.group_by("epoch").agg(pl.col(pl.Float64).mean()).sort("epoch")
        errors, last = mean["test_error"].to_numpy(), mean.row(-1, named=True)
        low = int(np.argmin(errors))
        depth = float(errors[-1] - errors[low])
        rows.append(
            {
                **c,
                "n_seeds": seeds,
                "n_diverged": 0,
                "final_error": float(errors[-1]),
                "final_error_ci": _ci(float(errors[-1]), 0.005, seeds),
                "lowest_error": float(errors[low]),
                "lowest_error_ci": _ci(float(errors[low]), 0.005, seeds),
                "turning_epoch": int(mean["epoch"][low]),
                "turning_epoch_ci": None if seeds == 1 else [91, 203],
                "depth": depth,
                "depth_ci": _ci(depth, 0.004, seeds),
                "steps": 3 * epochs,
                "seconds": 2.5,
                "delta": max(0.005, 0.05 * float(errors[low])),
                "method": "seeds" if seeds >= 5 else "curve",
                **{f"final_{m}": last[f"test_{m}"] for m in ("cross_entropy", "brier", "ece")},
                **{f"final_{m}_ci": _ci(last[f"test_{m}"], 0.01, seeds) for m in ("cross_entropy", "brier", "ece")},
            }
        )
    by_name = {row["name"]: row["final_error"] for row in rows}
    names = list(by_name)
    comparisons = [
        {
            "a": a,
            "b": b,
            "difference": by_name[a] - by_name[b],
            "ci": _ci(by_name[a] - by_name[b], 0.003, seeds),
            "n": seeds,
            "p_holm": None if seeds == 1 else 0.0004,
        }
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    ]
    best = min(by_name, key=lambda k: by_name[k])
    gain = by_name.get("ERM", by_name[best]) - by_name[best]
    return {
        "schema_version": 1,
        "metric": "error",
        "conditions": rows,
        "comparisons": comparisons,
        "best": best,
        "advice": {
            "kind": "switch",
            "sentence": "Mixup over-trains: switch it off at epoch 128 (safe 64–256).",
            "condition": best,
            "gain_of": best,
            "chosen_on": "validation",
            "candidates": 2,
            "note": "Mixup → ERM @128 was chosen among 2 conditions that mix, by their error on held-out samples.",
            "switch_epoch": 128,
            "safe": [64, 256],
            "gain_over_erm": gain,
            "gain_ci": _ci(gain, 0.003, seeds),
            "code": "overmix.Epochs(1000, mix=overmix.Mixup(alpha=1.0), switch=overmix.off_at(128))",
        },
        "versions": {"overmix": "0.1.0", "torch": "2.9", "numpy": "2.1", "python": "3.12", "cpu": "x86-64, 2 cores"},
        "n_test": 1000,
        "epochs": epochs,
        "elapsed_seconds": 118.4,
    }


def make_result(
    *,
    seeds: int = 16,
    epochs: int = 1000,
    conditions: list[dict[str, Any]] | None = None,
    val: bool = True,
    name: str = "digits demo",
) -> FakeResult:
    conditions = CONDITIONS if conditions is None else conditions
    curves = make_curves(conditions, seeds=seeds, epochs=epochs, val=val)
    spec = {
        "name": name,
        "data": {"name": "digits", "train_size": 200, "val_size": 200 if val else 0},
        "model": {"name": "mlp", "hidden": [256, 256]},
        "train": {"epochs": epochs, "batch_size": 64, "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9}},
        "compare": [{"name": c["name"]} for c in conditions],
        "seeds": list(range(seeds)),
        "device": "cpu",
    }
    floor = {c["name"]: 0.45 for c in conditions if c["role"] != "erm"}
    summary = summarise(curves, conditions, seeds=seeds, epochs=epochs) | {"floor": floor}
    return FakeResult(spec, summary, curves)


@pytest.fixture(scope="session", name="make_result")
def _make_result() -> Callable[..., FakeResult]:
    """The generator itself: every test makes the study that it needs."""
    return make_result


def _with_diverged(name: str, seeds: tuple[int, ...]) -> FakeResult:
    """A study in which some replicas of a condition turn to NaN half-way."""
    result = make_result(seeds=4, epochs=300)
    hit = (pl.col("condition") == name) & pl.col("seed").is_in(seeds) & (pl.col("epoch") > 100)
    floats = [c for c, kind in result.curves.schema.items() if kind == pl.Float64 and c not in ("mixing", "lr")]
    broken = result.curves.with_columns(pl.when(hit).then(math.nan).otherwise(pl.col(c)).alias(c) for c in floats)
    summary = copy.deepcopy(result.document)
    for row in summary["conditions"]:
        if row["name"] == name:
            row["n_diverged"] = len(seeds)
            if len(seeds) == 4:
                row.update({k: None for k in row if k.startswith(("final_", "lowest_", "depth", "turning_"))})
                row["verdict"] = None
    return result.but(curves=broken, document=summary)


HOSTILE = """</script><img src=x onerror="window.pwned=1">'[a.b]"""


def _hostile() -> FakeResult:
    conditions = [CONDITIONS[0], CONDITIONS[1] | {"name": HOSTILE}, CONDITIONS[2] | {"name": 'a"b]].c\\ \u2028 & <b>'}]
    result = make_result(seeds=3, epochs=50, conditions=conditions, name=HOSTILE)
    summary = copy.deepcopy(result.document)
    summary["advice"] |= {"sentence": HOSTILE, "code": HOSTILE, "kind": HOSTILE, "note": HOSTILE, "gain_of": HOSTILE}
    summary["versions"] |= {"cpu": HOSTILE, HOSTILE: "1"}
    return result.but(document=summary)


def _bare() -> FakeResult:
    result = make_result(seeds=2)
    left_out = ("advice", "versions", "floor")
    return result.but(document={key: value for key, value in result.document.items() if key not in left_out})


def _tracked(**settings: Any) -> FakeResult:
    """A study in which all but ERM is looked at more closely."""
    result = make_result(**({"seeds": 2, "epochs": 100} | settings))
    rise = pl.col("epoch").log() / 10
    values = {
        "gradient_norm_mixed": 0.5 + rise,
        "gradient_norm_clean": 1 / pl.col("epoch"),
        "noise_memorized": rise,
        "noise_resisted": 0.9 - rise,
        "mixtures_learnt": 0.4 + rise,
        "noise_share": pl.lit(0.21),
        "truth_error": pl.lit(0.043),
    }
    mixes = pl.col("condition") != "ERM"
    tracked = {name: pl.when(mixes).then(value.cast(pl.Float64)) for name, value in values.items()}
    return result.but(curves=result.curves.with_columns(**tracked))


def _many() -> FakeResult:
    roles = ["erm", "mixup", "switched", "other"] * 5
    switch = {"switched": 20}
    conditions = [
        {"name": f"method {i} ({role})", "role": role, "switch_epoch": switch.get(role), "verdict": "u-shaped"}
        for i, role in enumerate(roles)
    ]
    return make_result(seeds=2, epochs=100, conditions=conditions)


ODD_STUDIES: dict[str, Callable[[], FakeResult]] = {
    "one seed": lambda: make_result(seeds=1),
    "one condition": lambda: make_result(seeds=3, conditions=CONDITIONS[1:2]),
    "one epoch": lambda: make_result(seeds=3, epochs=1),
    "one seed, one condition, one epoch": lambda: make_result(seeds=1, epochs=1, conditions=CONDITIONS[:1]),
    "few epochs": lambda: make_result(seeds=2, epochs=5),
    "no validation": lambda: make_result(seeds=2, epochs=100, val=False),
    "no floor, no advice": _bare,
    "one replica diverged": lambda: _with_diverged("Mixup", (1,)),
    "a condition diverged": lambda: _with_diverged("Mixup", (0, 1, 2, 3)),
    "hostile names": _hostile,
    "many conditions": _many,
    "tracked": _tracked,
}


@pytest.fixture(scope="session", name="make_tracked")
def _make_tracked() -> Callable[..., FakeResult]:
    return _tracked


def with_axes(result: FakeResult, steps_per_epoch: list[int], rates: list[tuple[float, float]]) -> FakeResult:
    """Give each condition its steps per epoch, and a learning rate whose sum grows with a power of the epoch."""
    summary = copy.deepcopy(result.document)
    step = pl.lit(0)
    for row, per_epoch, (rate, power) in zip(summary["conditions"], steps_per_epoch, rates, strict=True):
        epoch = result.curves.filter(pl.col("condition") == row["name"])["epoch"].unique().sort().to_numpy()
        row["accumulated_lr"] = (rate * per_epoch * epoch.astype(float) ** power).tolist()
        step = pl.when(pl.col("condition") == row["name"]).then(per_epoch * pl.col("epoch")).otherwise(step)
    return result.but(document=summary, curves=result.curves.with_columns(step=step))


@pytest.fixture(scope="session", name="with_axes")
def _with_axes() -> Callable[..., FakeResult]:
    return with_axes


@pytest.fixture(params=list(ODD_STUDIES))
def odd_result(request: pytest.FixtureRequest) -> FakeResult:
    """Each kind of study that lacks something or holds something strange."""
    return ODD_STUDIES[request.param]()
