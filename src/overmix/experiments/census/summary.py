"""What the seeds of a loop's row say: verdicts, the best switch, and differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from overmix.diagnose import Comparison, diagnose_curve, diagnose_ensemble, paired_difference, paired_values
from overmix.experiments.census.loop import Arrays
from overmix.experiments.census.loop_row import LoopRow
from overmix.experiments.census.row import interval, number
from overmix.experiments.census.task import Kind

Seeds = Sequence[Arrays]


def summarize(row: LoopRow, seeds: Seeds) -> dict[str, Any]:
    """Return what a row says as plain numbers, by the names of a row's file.

    The best switch is the one with the lowest mean on the held-out samples, the ends included; what it gains is read on
    test samples, which chose nothing.

    Args:
        row: as it was run.
        seeds: what :func:`~overmix.experiments.census.loop.run_seed` returned, one for each seed.
    """
    kind = row.task.kind
    best = min(row.grid, key=lambda epoch: float(_each(seeds, f"val/off@{epoch}").mean()))
    return {
        "best": best,
        "looks": seeds[0]["looks"].tolist(),
        "curves": {name: _curve(seeds, name) for name in ("on", "erm")},
        "diagnosis": {name: _diagnosis(seeds, name, kind) for name in ("on", "erm")},
        "final": {name: _final(seeds, name) for name in [*row.conditions, *row.baseline_names]},
        "auto": {name: _each(seeds, f"auto/{name}").tolist() for name in ("switch_at", "cost")},
        "comparisons": [
            {"a": a, "b": b, **_compared(seeds, kind, row.condition(a, best), row.condition(b, best))}
            for a, b in row.pairs
        ],
        "core_seconds": round(float(_each(seeds, "seconds").sum()), 1),
    }


def _each(seeds: Seeds, name: str) -> np.ndarray:
    return np.array([arrays[name] for arrays in seeds])


def _final(seeds: Seeds, name: str) -> dict[str, Any]:
    values = _each(seeds, f"value/{name}")
    final: dict[str, Any] = {
        "mean": number(values.mean()),
        "ci": interval(values),
        "values": [number(value) for value in values],
    }
    if f"val/{name}" in seeds[0]:
        final["val"] = number(_each(seeds, f"val/{name}").mean())
    if f"ece/{name}" in seeds[0]:
        ece = _each(seeds, f"ece/{name}")
        final |= {"ece": number(ece.mean()), "ece_ci": interval(ece)}
    further = {metric: _each(seeds, f"further/{metric}/{name}") for metric in _further(seeds[0], name)}
    if further:
        final["further"] = {m: {"mean": number(each.mean()), "ci": interval(each)} for m, each in further.items()}
    return final


def _further(arrays: Arrays, name: str) -> list[str]:
    """Return the other metrics of a condition, by name."""
    start, end = "further/", f"/{name}"
    return [key[len(start) : -len(end)] for key in arrays if key.startswith(start) and key.endswith(end)]


def _curve(seeds: Seeds, name: str) -> dict[str, Any]:
    values = _each(seeds, f"curve/{name}")
    bands = [interval(column) for column in values.T]
    return {"mean": [number(value) for value in values.mean(axis=0)], "ci": bands}


def _diagnosis(seeds: Seeds, name: str, kind: Kind) -> dict[str, Any]:
    """Return verdict, turning epoch and depth: over seeds and test samples for errors, over seeds for the rest."""
    looks = seeds[0]["looks"]
    if kind == "error":
        diagnosis = diagnose_ensemble(looks, _each(seeds, f"curve_wrong/{name}")).to_dict()
        return {key: diagnosis[key] for key in _SAID} | {"over": "seeds and test samples"}
    values = _each(seeds, f"curve/{name}")
    curve = diagnose_curve(looks, values, unit="fraction" if kind == "rate" else "value").to_dict()
    return {key: curve[key] for key in _SAID} | {"over": "seeds"}


_SAID = ("verdict", "turning_epoch", "turning_epoch_ci", "depth", "depth_ci", "delta")


def _compared(seeds: Seeds, kind: Kind, one: str, other: str) -> dict[str, Any]:
    if kind == "error":
        return paired_difference(_each(seeds, f"wrong/{one}"), _each(seeds, f"wrong/{other}")).to_dict()
    return _paired(_each(seeds, f"value/{one}"), _each(seeds, f"value/{other}")).to_dict()


def _paired(one: np.ndarray, other: np.ndarray) -> Comparison:
    both = np.isfinite(one) & np.isfinite(other)
    return paired_values(one[both], other[both])
