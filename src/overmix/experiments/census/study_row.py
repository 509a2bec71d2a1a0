"""Rows that are studies: the study trains and judges, the census reads its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from overmix.experiments.census.row import SMOKE_EPOCHS, Row, Scale, interval, number
from overmix.files.folders import made_folder
from overmix.mix import Recipe
from overmix.study import StudyResult, StudySpec, load_result, parse_study, run_study
from overmix.study.analyse.record import ConditionSummary, Estimate, PairedDifference
from overmix.study.plan.cells import expand
from overmix.study.spec.plain import digest
from overmix.study.spec.recipes import build_recipe
from overmix.study.store.arrays import npz_bytes
from overmix.study.store.files import write_bytes
from overmix.switch import AutoSwitch
from overmix.switch.policies.auto import RULE

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Setting:
    """What several rows are trained on: parts of a study file, and how the page calls them.

    Args:
        title: what is learned, in a few words.
        metric: what the number is; lower is better.
        kind: ``"error"``, the share of wrong test samples, or ``"value"``.
        data: as a study file writes it, with ``train_size``, and ``val_size`` where no arrays bring held-out samples.
        model: likewise.
        train: likewise, with ``epochs`` and ``batch_size``.
        arrays: makes the arrays that an npz named in ``data`` holds.
    """

    title: str
    metric: str
    kind: str
    data: Mapping[str, Any]
    model: Mapping[str, Any]
    train: Mapping[str, Any]
    arrays: Callable[[], Mapping[str, np.ndarray]] | None = None


@dataclass(frozen=True, kw_only=True)
class StudyRow(Row):
    """A recipe in a setting, whose conditions are those of one study.

    Args:
        setting: what is trained.
        parameters: of the recipe, where they are not its defaults.
        controls: by name, recipe and schedule of further conditions, as ``compare`` writes them.
    """

    setting: Setting
    parameters: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The method with its parameters."""
        return build_recipe(self.recipe_name, **self.parameters)

    @property
    def epochs(self) -> int:
        """Length of the training."""
        return int(self.setting.train["epochs"])

    @property
    def control_names(self) -> list[str]:
        """Further conditions."""
        return list(self.controls)

    @property
    def about(self) -> dict[str, Any]:
        """What is trained."""
        setting = self.setting
        said = {"title": setting.title, "metric": setting.metric, "kind": setting.kind}
        held_out = setting.data.get("val_size") or len(self._arrays()["x_val"])
        return {**said, **setting.data, "val_size": held_out, **setting.train, "model": dict(setting.model)}

    def _arrays(self) -> Mapping[str, np.ndarray]:
        """Return the arrays that the row brings; none where the study knows its data."""
        return {} if self.setting.arrays is None else self.setting.arrays()

    def at(self, scale: Scale) -> StudyRow:
        """Return the row at a scale."""
        if scale == "laptop":
            return self
        return replace(self, setting=replace(self.setting, train={**self.setting.train, "epochs": SMOKE_EPOCHS}))

    def digest(self) -> str:
        """Return a hash of all that its trainings depend on."""
        cells = {cell.condition: cell.id for cell in expand(self.study(n_seeds=1))}
        return digest([self.name, cells, repr(AutoSwitch()), RULE])[:10]

    def study(self, n_seeds: int, workers: int = 1, beside: Path = Path()) -> StudySpec:
        """Return the study; the file of its data, if it is the census's own, lies in a folder."""
        data = self.setting.data
        if self.setting.arrays is not None:
            data = {**data, "path": str(beside / data["path"])}
        recipe = {self.recipe_name: dict(self.parameters)}
        # The census asks what AutoSwitch does, where it would go on mixing too.
        stays = bool(build_recipe(self.recipe_name, **self.parameters).off_doubt)
        auto: str | dict[str, Any] = {"auto": {"anywhere": True}} if stays else "auto"
        return parse_study(
            {
                "name": self.name,
                "data": data,
                "model": self.setting.model,
                "train": self.setting.train,
                "compare": [
                    {"name": "off@0", "recipe": "NoMixup", "schedule": "never"},
                    *({"name": f"off@{at}", "recipe": recipe, "schedule": {"off_at": at}} for at in self.grid[1:-1]),
                    {"name": f"off@{self.epochs}", "recipe": recipe},
                    *({"name": name, **condition} for name, condition in self.controls.items()),
                    {"name": "auto", "recipe": recipe, "schedule": auto},
                ],
                "seeds": n_seeds,
                "device": "cpu",
                "executor": {"workers": workers},
            }
        )

    def run(self, folder: Path, n_seeds: int, workers: int) -> dict[str, Any]:
        """Train what is missing in the study's run directory, and return what a row says.

        Args:
            folder: the run directory, which ``overmix report`` opens too.
            n_seeds: how many seeds.
            workers: processes; the numbers do not depend on them.
        """
        if self.setting.arrays is not None:
            write_bytes(made_folder(folder.parent) / self.setting.data["path"], npz_bytes(self._arrays()))
        run_study(self.study(n_seeds, workers, folder.parent), folder)
        return _said_by(self, load_result(folder))


def _said_by(row: StudyRow, result: StudyResult) -> dict[str, Any]:
    """Return what the record of a row's study says, by the names of a row's file.

    The best switch has the lowest mean error on the held-out samples at the end; test samples, which chose nothing, say
    what it gains.
    """
    summary, curves = result.summary, result.curves
    conditions = {condition.name: condition for condition in summary.conditions}
    best = min(row.grid, key=lambda at: _last_mean(curves, f"off@{at}", "val_error"))
    ends = {name: conditions[row.condition(name, best)] for name in ("on", "erm")}
    looks = sorted(curves["epoch"].unique().to_list())
    return {
        "best": best,
        "looks": looks,
        "curves": {name: _curve(curves, end.name, len(looks)) for name, end in ends.items()},
        "diagnosis": {name: _diagnosis(end) for name, end in ends.items()},
        "final": {name: _final(conditions[name], _last_mean(curves, name, "val_error")) for name in row.conditions},
        "auto": {"switch_at": list(conditions["auto"].decided), "cost": conditions["auto"].cost},
        "comparisons": [
            {"a": a, "b": b, **_compared(summary.comparisons, row.condition(a, best), row.condition(b, best))}
            for a, b in row.pairs
        ],
        "core_seconds": summary.elapsed_seconds,
    }


def _column(curves: pl.DataFrame, condition: str, metric: str) -> np.ndarray:
    import polars as pl

    rows = curves.filter(pl.col("condition") == condition).sort("seed", "epoch")
    return rows[metric].to_numpy()


def _last_mean(curves: pl.DataFrame, condition: str, metric: str) -> float:
    n_seeds = curves["seed"].n_unique()
    return float(_column(curves, condition, metric).reshape(n_seeds, -1)[:, -1].mean())


def _curve(curves: pl.DataFrame, condition: str, looks: int) -> dict[str, Any]:
    values = _column(curves, condition, "test_error").reshape(-1, looks)
    return {"mean": [number(mean) for mean in values.mean(axis=0)], "ci": [interval(look) for look in values.T]}


def _diagnosis(condition: ConditionSummary) -> dict[str, Any]:
    return {
        "verdict": condition.verdict,
        "turning_epoch": condition.turning_epoch.value,
        "turning_epoch_ci": condition.turning_epoch.interval,
        "depth": condition.depth.value,
        "depth_ci": condition.depth.interval,
        "delta": condition.delta,
        "over": "seeds and test samples",
    }


def _final(condition: ConditionSummary, val: float) -> dict[str, Any]:
    said = {"mean": condition.final.value, "ci": condition.final.interval, "val": val}
    if condition.ece.value is None:
        return said
    return {**said, "ece": condition.ece.value, "ece_ci": condition.ece.interval}


def _compared(comparisons: Sequence[PairedDifference], a: str, b: str) -> dict[str, Any]:
    """Return ``a - b``, whichever way round the record has it; a condition is not different from itself."""
    if a == b:
        return {"difference": 0.0, "ci": [0.0, 0.0], "p_value": 1.0}
    pair = next(pair for pair in comparisons if {pair.a, pair.b} == {a, b})
    difference = pair.difference if pair.a == a else _negated(pair.difference)
    return {"difference": difference.value, "ci": difference.interval, "p_value": pair.p_value}


def _negated(estimate: Estimate) -> Estimate:
    value, hi, lo = (None if x is None else -x for x in (estimate.value, estimate.lo, estimate.hi))
    return Estimate(value, lo, hi)
