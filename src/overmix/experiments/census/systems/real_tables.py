"""Real regressions of R packages: what of a molecule reaches the brain, and a year of ozone in Los Angeles."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from overmix.errors import MissingExtraError
from overmix.experiments.census.systems.r_frames import r_file

DAYS = 4
"""Days of a window."""

OZONE = ("V4", "V5", "V6", "V7", "V8", "V10", "V11", "V12", "V13")
"""Ozone itself, then the weather; V9, a thermometer that lacks 139 days, is left out."""


@lru_cache(maxsize=1)
def blood_brain() -> tuple[np.ndarray, np.ndarray]:
    """Return 134 descriptors of 208 molecules, and the logarithm of how much passes from blood to brain.

    Source: caret's ``BloodBrain`` (Mente and Lombardo, 2005).

    Raises:
        ConfigError: if Debian's r-cran-caret is not there.
        MissingExtraError: if pyreadr is not installed.
    """
    frames = _read("caret", "BloodBrain.RData")
    x = frames["bbbDescr"].drop("rownames").to_numpy().astype(np.float64)
    return x, frames["logBBB"]["logBBB"].to_numpy().astype(np.float64)


@lru_cache(maxsize=1)
def ozone() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return windows of four days, shape (N, 9, 4), the highest ozone of a day, and the number of that day.

    A window has the weather of that day and of the three before, and the ozone of the four before. Days on which a
    column is missing get what lies between the days around them; they are never what is asked for.
    Source: mlbench's ``Ozone`` (Breiman and Friedman, 1985), the year 1976.

    Raises:
        ConfigError: if Debian's r-cran-mlbench is not there.
        MissingExtraError: if pyreadr is not installed.
    """
    frame = _read("mlbench", "Ozone.rda")["Ozone"]
    columns = np.stack([frame[name].cast(float).to_numpy() for name in OZONE])
    asked = [day for day in range(DAYS, columns.shape[1]) if np.isfinite(columns[0, day])]
    whole = np.stack([_filled(column) for column in columns])
    ozone_before, weather = whole[:1], whole[1:]
    windows = [(ozone_before[:, day - DAYS : day], weather[:, day - DAYS + 1 : day + 1]) for day in asked]
    x = np.stack([np.concatenate(window) for window in windows])
    return x, columns[0, asked], np.array(asked)


def _filled(column: np.ndarray) -> np.ndarray:
    there = np.flatnonzero(np.isfinite(column))
    return np.asarray(np.interp(np.arange(len(column)), there, column[there]))


def _read(package: str, file: str) -> Any:
    path = r_file(package, file)
    try:
        import pyreadr
    except ImportError:
        raise MissingExtraError("pyreadr", "systems") from None
    return pyreadr.read_r(str(path), output_format="polars")
