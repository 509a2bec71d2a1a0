"""The interval of a mean over seeds."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from overmix._typing import Float


def t_interval(values: Float[np.ndarray, " seeds"], level: float = 0.95) -> list[float] | None:
    """Return Student's interval ``mean ± t_{n-1} s / sqrt(n)``, or ``None`` for fewer than two seeds.

    Example:
        >>> [round(end, 2) for end in t_interval(np.array([1.0, 2.0, 3.0]))]
        [-0.48, 4.48]
    """
    if len(values) < 2:
        return None
    half = float(special.stdtrit(len(values) - 1, (1 + level) / 2) * values.std(ddof=1) / math.sqrt(len(values)))
    return [float(values.mean()) - half, float(values.mean()) + half]
