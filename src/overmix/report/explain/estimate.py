"""Means over seeds with their interval, and versions: what every number of an explanation carries."""

from __future__ import annotations

import platform
import sys
from typing import Any

import numpy as np

from overmix._typing import Float
from overmix.diagnose.interval import t_interval


def over_seeds(values: Float[np.ndarray, " seeds"]) -> dict[str, Any]:
    """Return a mean over seeds as JSON shows it; ``ci`` is None with one seed.

    Example:
        >>> over_seeds(np.array([1.0]))
        {'mean': 1.0, 'ci': None, 'n': 1}
    """
    ci = t_interval(values)
    return {"mean": float(values.mean()), "ci": None if ci is None else list(ci), "n": len(values)}


def made_with() -> dict[str, str]:
    """Return what the numbers were made with: PyTorch only where it took part."""
    import scipy

    import overmix

    torch = sys.modules.get("torch")
    return {
        "overmix": overmix.__version__,
        **({} if torch is None else {"torch": str(torch.__version__)}),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }
