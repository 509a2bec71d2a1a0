"""Which setting of each arm the trials of a fair comparison choose."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from overmix.errors import OvermixError
from overmix.study.analyse.cell_result import CellResult
from overmix.study.spec.fair import arms_of, tuned_arm
from overmix.study.spec.schema import StudySpec, TunedSpec


def choose_settings(spec: StudySpec, trials: Sequence[CellResult]) -> list[TunedSpec]:
    """Return each arm's setting with the lowest held-out error at the end, averaged over the trials' seeds.

    Between equal errors the held-out score decides (Brier for classes), then the order: the study's own setting comes
    first. A setting that diverged in any seed is never chosen.

    Args:
        spec: the study that the trials were made from.
        trials: all runs of them.

    Raises:
        OvermixError: if every setting of an arm diverged.
    """
    by_condition: dict[str, list[CellResult]] = {}
    for cell in trials:
        by_condition.setdefault(cell.condition, []).append(cell)
    tuned = []
    for arm in arms_of(spec):
        errors = {setting: _held_out(by_condition[f"{arm.name}, {setting}"]) for setting in arm.settings}
        best = min(errors, key=errors.__getitem__)
        if not math.isfinite(errors[best][0]):
            raise OvermixError(f"{arm.name}: every one of its {len(errors)} trials diverged: lower the learning rate")
        tuned.append(tuned_arm(arm, best, errors[best][0]))
    return tuned


def _held_out(cells: Sequence[CellResult]) -> tuple[float, float]:
    if any(cell.diverged for cell in cells):
        return math.inf, math.inf
    error, score = (
        float(np.mean([cell.values[name][-1] for cell in cells])) for name in ("val_error", f"val_{cells[0].score}")
    )
    return error, score
