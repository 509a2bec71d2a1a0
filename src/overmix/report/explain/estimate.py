"""Means over seeds with their interval, and versions: what every number of an explanation carries."""

from __future__ import annotations

import math
import platform
from typing import Any

import numpy as np
from scipy.special import stdtrit

from overmix._typing import Float


def t_interval(
    rows: Float[np.ndarray, "seeds *points"],
) -> tuple[Float[np.ndarray, "*points"], Float[np.ndarray, "*points"], Float[np.ndarray, "*points"]]:
    """Return ``mean ± t_{n-1, 97.5 %} s / sqrt(n)`` over the first axis: mean, low, high; NaN bounds for one seed.

    Example:
        >>> mean, low, high = t_interval(np.array([[1.0], [3.0]]))
        >>> mean.tolist(), low.round(3).tolist(), high.round(3).tolist()
        ([2.0], [-10.706], [14.706])
    """
    n, mean = len(rows), np.asarray(rows.mean(axis=0))
    if n < 2:
        nothing = np.full_like(mean, np.nan)
        return mean, nothing, nothing
    half = float(stdtrit(n - 1, 0.975)) * rows.std(axis=0, ddof=1) / np.sqrt(n)
    return mean, np.asarray(mean - half), np.asarray(mean + half)


def over_seeds(values: Float[np.ndarray, " seeds"]) -> dict[str, Any]:
    """Return a mean over seeds as JSON shows it; ``ci`` is None with one seed.

    Example:
        >>> over_seeds(np.array([1.0]))
        {'mean': 1.0, 'ci': None, 'n': 1}
    """
    mean, low, high = t_interval(np.asarray(values, dtype=np.float64))
    ci = None if math.isnan(float(low)) else [float(low), float(high)]
    return {"mean": float(mean), "ci": ci, "n": len(values)}


def versions() -> dict[str, str]:
    """Return what the numbers were made with."""
    import scipy
    import torch

    import overmix

    return {
        "overmix": overmix.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }
