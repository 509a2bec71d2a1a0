"""Real tables that nothing was ever tuned on here: the UCI sets in R's package mlbench (Debian: r-cran-mlbench)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from overmix.errors import ConfigError, MissingExtraError

FOLDER = "OVERMIX_MLBENCH"
"""Environment variable that names the folder with the package's ``.rda`` files, if it is not where Debian puts them."""

_DEBIAN = Path("/usr/lib/R/site-library/mlbench/data")


def read_mlbench(table: str, label: str, drop: tuple[str, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return features, shape (N, D), float32, and classes, shape (N,), int64, of a table.

    Args:
        table: its name in mlbench.
        label: the column of the class.
        drop: columns that are no features.

    Raises:
        ConfigError: if the file is not there.
        MissingExtraError: if the package that reads it is not installed.
    """
    file = Path(os.environ.get(FOLDER, _DEBIAN)) / f"{table}.rda"
    if not file.exists():
        raise ConfigError(FOLDER, file.parent, f"{file.name} is not there: install Debian's r-cran-mlbench, or set it")
    try:
        import pyreadr
    except ImportError:
        raise MissingExtraError("pyreadr", "bench") from None
    frame = pyreadr.read_r(str(file), output_format="polars")[table]
    columns = [name for name in frame.columns if name not in {label, "rownames", *drop}]
    x = np.stack([frame[name].cast(str).cast(float).to_numpy() for name in columns], axis=1)
    classes = frame[label].cast(str).to_numpy()
    return x.astype(np.float32), np.unique(classes, return_inverse=True)[1].astype(np.int64)
