"""What counts as a number where a setting is one."""

from __future__ import annotations

from numbers import Real
from typing import TypeGuard


def is_real(value: object) -> TypeGuard[float]:
    """Return whether it is a real number, NumPy's as Python's; True is none, and NaN and infinity are.

    Example:
        >>> import numpy as np
        >>> [is_real(value) for value in (1, 0.5, np.float32(0.5), np.int64(1), True, "1", None)]
        [True, True, True, True, False, False, False]
    """
    return isinstance(value, Real) and not isinstance(value, bool)
