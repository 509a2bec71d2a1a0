"""What the seeds of a row say: verdicts, the best switch, and differences with intervals."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

import overmix
from overmix.diagnose import Comparison, diagnose_curve, diagnose_ensemble, paired_difference, paired_values
from overmix.diagnose.interval import t_interval
from overmix.experiments.census.driver import Arrays
from overmix.experiments.census.row import Row, Scale
from overmix.experiments.census.task import Kind

Seeds = Sequence[Arrays]


def summarize(row: Row, seeds: Seeds, scale: Scale) -> dict[str, Any]:
    """Return the row as plain numbers, ready for JSON.

    The best switch is the one with the lowest mean on the held-out samples, the ends included; what it gains is read on
    test samples, which chose nothing.

    Args:
        row: as it was run.
        seeds: what :func:`run_seed` returned, one for each seed.
        scale: of the row.
    """
    kind, grid = row.task.kind, row.grid
    best = min(grid, key=lambda epoch: float(_each(seeds, f"val/off@{epoch}").mean()))
    known = {
        "erm": row.erm,
        "on": f"off@{grid[-1]}",
        "best": f"off@{best}",
        "third": f"off@{row.third}",
        "auto": "auto",
    }
    names = [*(f"off@{epoch}" for epoch in grid), *row.controls, "auto"]
    return {
        "name": row.name,
        "recipe": row.recipe_name,
        "variant": row.variant,
        "scale": scale,
        "digest": row.digest(),
        "task": {"title": row.task.title, "metric": row.task.metric, "kind": kind, **asdict(row.task)},
        "off": row.off,
        "erm": row.erm,
        "n_seeds": len(seeds),
        "grid": grid,
        "third": row.third,
        "best": best,
        "looks": seeds[0]["looks"].tolist(),
        "curves": {name: _curve(seeds, name) for name in ("on", "erm")},
        "diagnosis": {name: _diagnosis(seeds, name, kind) for name in ("on", "erm")},
        "final": {name: _final(seeds, name) for name in names},
        "auto": {name: _each(seeds, f"auto/{name}").tolist() for name in ("switch_at", "cost")},
        "comparisons": [
            _compared(seeds, kind, a, b, known)
            for a, b in [
                ("on", "erm"),
                ("best", "erm"),
                ("best", "on"),
                ("auto", "erm"),
                ("auto", "on"),
                ("third", "on"),
                ("third", "best"),
                *((side, control) for control in row.controls if control != row.erm for side in ("on", "best")),
            ]
        ],
        "core_seconds": round(float(_each(seeds, "seconds").sum()), 1),
        "versions": {"overmix": overmix.__version__, "torch": torch.__version__, "cpu": platform.machine()},
    }


def _each(seeds: Seeds, name: str) -> np.ndarray:
    return np.array([arrays[name] for arrays in seeds])


def _interval(values: np.ndarray) -> list[float] | None:
    """Return Student's interval of a mean over seeds, as JSON holds it."""
    ci = t_interval(values)
    return None if ci is None else list(ci)


def _final(seeds: Seeds, name: str) -> dict[str, Any]:
    values = _each(seeds, f"value/{name}")
    final: dict[str, Any] = {
        "mean": _number(values.mean()),
        "ci": _interval(values),
        "values": [_number(value) for value in values],
        "val": _number(_each(seeds, f"val/{name}").mean()),
    }
    if f"ece/{name}" in seeds[0]:
        ece = _each(seeds, f"ece/{name}")
        final |= {"ece": _number(ece.mean()), "ece_ci": _interval(ece)}
    return final


def _curve(seeds: Seeds, name: str) -> dict[str, Any]:
    values = _each(seeds, f"curve/{name}")
    bands = [_interval(column) for column in values.T]
    return {"mean": [_number(value) for value in values.mean(axis=0)], "ci": bands}


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


def _compared(seeds: Seeds, kind: Kind, a: str, b: str, known: dict[str, str]) -> dict[str, Any]:
    one, other = known.get(a, a), known.get(b, b)
    if kind == "error":
        difference = paired_difference(_each(seeds, f"wrong/{one}"), _each(seeds, f"wrong/{other}"))
    else:
        difference = _paired(_each(seeds, f"value/{one}"), _each(seeds, f"value/{other}"))
    return {"a": a, "b": b, **difference.to_dict()}


def _paired(one: np.ndarray, other: np.ndarray) -> Comparison:
    both = np.isfinite(one) & np.isfinite(other)
    return paired_values(one[both], other[both])


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
