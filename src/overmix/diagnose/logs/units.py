"""Whether a metric's values are shares of 1, percent, or in a unit of their own."""

from __future__ import annotations

import numpy as np

from overmix._typing import Float
from overmix.diagnose.logs.kinds import MetricKind
from overmix.diagnose.practical import Unit

_ABOVE = {"rate": 1 + 1e-6, "open rate": 2.0}  # what shares of 1 do not exceed; a wrong transcript may be longer
_PERCENT = 100 + 1e-4


def unit_of(kind: MetricKind | None, values: Float[np.ndarray, "runs epochs"], *, name: str) -> tuple[Unit, str | None]:
    """Return the unit of a metric's values, and a sentence where they do not tell it for sure.

    The kind says whether they are rates; then the whole range tells shares of 1 from percent, never one value alone.

    Example:
        >>> from overmix.diagnose.logs.kinds import kind_of
        >>> unit_of(kind_of("val_acc"), np.array([[2.0, 8.0, 9.0]]), name="val_acc")
        ('percent', None)
        >>> unit_of(kind_of("val_kappa"), np.array([[-0.01, 0.6, 0.9]]), name="val_kappa")
        ('fraction', None)
        >>> unit_of(kind_of("val_psnr"), np.array([[26.0, 31.0]]), name="val_psnr")
        ('decibel', None)
    """
    known = values[np.isfinite(values)]
    if kind is None or kind.unit == "unknown":
        return _guessed(known, name)
    if kind.unit == "value" or kind.unit == "decibel":
        return kind.unit, None
    above = int((known > _ABOVE[kind.unit]).sum())
    if above == 0:
        return "fraction", None
    if above == 1:
        doubt = f"{name} has one value, {known.max():g}, that is no share of 1: if it is in percent, say --unit percent"
        return "fraction", doubt
    if kind.unit == "rate" and (known > _PERCENT).any():
        return "value", f"{name} reaches {known.max():g}, which no rate does: taken in a unit of its own; or say --unit"
    return "percent", None


def _guessed(known: Float[np.ndarray, " values"], name: str) -> tuple[Unit, str]:
    if known.size and known.min() >= 0 and known.max() <= 1:
        return "fraction", f"the unit of {name} is not known: taken for shares of 1, unless --unit says otherwise"
    return "value", f"the unit of {name} is not known: taken in a unit of its own, unless --unit says otherwise"
