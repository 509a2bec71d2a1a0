"""The line of a user's own loop that follows a study's advice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from overmix.study.analyse.cell_result import ConditionResult
from overmix.study.spec.recipes import ONE_OF, candidates

_AT_THE_TOP = ("Mixup", "NoMixup")
"""Recipes that users import from overmix itself."""


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
