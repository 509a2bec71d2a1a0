"""The line of a user's own loop that follows a study's advice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from overmix.study.analyse.cell_result import ConditionResult

_AT_THE_TOP = ("Mixup", "NoMixup")
"""Recipes that users import from overmix itself."""


def code_line(mixing: ConditionResult, kind: str, switch_epoch: int | None) -> str:
    """Return the line for a user's own loop."""
    name, parameters = mixing.spec.recipe_name, mixing.spec.recipe_parameters
    recipe = "overmix.NoMixup()" if kind == "no-mixup" else f"{imported_as(name)}({_arguments(parameters)})"
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


def _arguments(parameters: Mapping[str, Any]) -> str:
    """Write parameters as Python does, infinity too."""
    written = {key: 'float("inf")' if value == math.inf else repr(value) for key, value in parameters.items()}
    return ", ".join(f"{key}={value}" for key, value in written.items())


def imported_as(name: str) -> str:
    """Return how a recipe is called in Python."""
    if ":" in name:
        return name.replace(":", ".")
    return f"overmix.{name}" if name in _AT_THE_TOP else f"overmix.recipes.{name}"
