"""The line to copy that follows a study's advice: of a user's own loop, of the study file, or a command."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from overmix.diagnose import Advice
from overmix.study.analyse.cell_result import ConditionResult
from overmix.study.spec.recipes import ONE_OF, candidates
from overmix.study.spec.schema import StudySpec

_AT_THE_TOP = ("Mixup", "NoMixup")
"""Recipes that users import from overmix itself."""


def line_to_copy(spec: StudySpec, results: Sequence[ConditionResult], advice: Advice) -> str | None:
    """Return the line that follows the advice: what to do next where that comes first, else what is recommended."""
    step = advice.next
    if step is not None and step.answer == "longer" and step.value:
        return f"train: {{epochs: {step.value:.0f}}}"
    if advice.mix is not None and advice.mix.answer == "unsaid" and step is not None:
        return f"seeds: {len(spec.seed_list) + int(step.value or 0)}" if step.answer == "seeds" else None
    by_name = {result.name: result for result in results}
    chosen = by_name.get(advice.condition or "")
    if chosen is None or chosen.role == "other":
        return None
    if chosen.role == "erm":
        epochs = step.value if step is not None and step.answer == "stop" and step.value else chosen.epochs
        return f"run = overmix.Epochs({epochs:.0f}, mix=overmix.NoMixup())"
    return code_line(chosen, "keep-mixup" if chosen.role == "mixup" else "switch", advice.switch_epoch)


def code_line(mixing: ConditionResult, kind: str, switch_epoch: int | None) -> str:
    """Return the line for a user's own loop."""
    name, parameters = mixing.spec.recipe_name, mixing.spec.recipe_parameters
    recipe = "overmix.NoMixup()" if kind == "no-mixup" else _called(name, parameters)
    switch = ""
    if kind == "switch" and switch_epoch is not None:
        switch = f", switch=overmix.off_at({switch_epoch})"
    elif kind == "switch":
        schedule = mixing.spec.schedule
        settings = {} if isinstance(schedule, str) else dict(next(iter(schedule.values())))
        settings.pop("holdout", None)  # a loop shows held-out samples by itself
        policy = f"overmix.AutoSwitch({_arguments(settings)})"
        switch = f', switch={policy}, state={{"model": model, "optimizer": optimizer}}'
    return f"run = overmix.Epochs({mixing.epochs}, mix={recipe}{switch})"


def _called(name: str, parameters: Mapping[str, Any]) -> str:
    """Write a recipe as Python does; those that OneOf chooses from come first, without their names."""
    if name != ONE_OF:
        return f"{imported_as(name)}({_arguments(parameters)})"
    inner = [_called(of, given) for of, given in candidates(parameters)]
    rest = _arguments({key: value for key, value in parameters.items() if key != "recipes"})
    return f"{imported_as(name)}({', '.join([*inner, *([rest] if rest else [])])})"


def _arguments(parameters: Mapping[str, Any]) -> str:
    """Write parameters as Python does, infinity too."""
    written = {key: 'float("inf")' if value == math.inf else repr(value) for key, value in parameters.items()}
    return ", ".join(f"{key}={value}" for key, value in written.items())


def imported_as(name: str) -> str:
    """Return how a recipe is called in Python."""
    if ":" in name:
        return name.replace(":", ".")
    return f"overmix.{name}" if name in _AT_THE_TOP else f"overmix.recipes.{name}"
