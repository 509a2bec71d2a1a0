"""Numbers as a reader wants them: fractions as percent, a real minus sign, no more digits than mean something."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

from overmix.diagnose.numerals import written

NONE = "–"
_NBSP = "\u00a0"


def _fixed(x: float, digits: int) -> str:
    # Means of one and the same data that were added up in another order must not round to two different numbers, as
    # 5.9499999 and 5.9500001 would: so the noise of the arithmetic goes first, and a half then always goes up.
    rounded = Decimal(f"{x:.9g}").quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return written(rounded, ",")


def percent(x: float | None, digits: int = 1) -> str:
    r"""Write a fraction as percent.

    Example:
        >>> percent(0.0743), percent(None)
        ('7.4\xa0%', '–')
    """
    return NONE if x is None else f"{_fixed(100 * x, digits)}{_NBSP}%"


def percent_range(lo: float | None, hi: float | None, digits: int = 1) -> str:
    r"""Write an interval of fractions.

    Example:
        >>> percent_range(0.07, 0.078), percent_range(None, None)
        ('7.0–7.8\xa0%', '–')
    """
    if lo is None or hi is None:
        return NONE
    return f"{_fixed(100 * lo, digits)}–{_fixed(100 * hi, digits)}{_NBSP}%"


def points(x: float | None, digits: int = 2) -> str:
    """Write a difference of fractions in percentage points, without a unit.

    Example:
        >>> points(-0.0132), points(0.00001)
        ('−1.32', '0.00')
    """
    return NONE if x is None else _fixed(100 * x, digits)


def points_range(lo: float | None, hi: float | None, digits: int = 2) -> str:
    """Write an interval of differences; ``to``, because a dash beside a minus sign misleads.

    Example:
        >>> points_range(-0.016, 0.01)
        '−1.60 to 1.00'
    """
    return NONE if lo is None or hi is None else f"{points(lo, digits)} to {points(hi, digits)}"


def decimal(x: float | None, digits: int = 3) -> str:
    """Write a plain number.

    Example:
        >>> decimal(0.30441), decimal(-2.0, 1), decimal(None)
        ('0.304', '−2.0', '–')
    """
    return NONE if x is None else _fixed(x, digits)


def decimal_range(lo: float | None, hi: float | None, digits: int = 3) -> str:
    """Write an interval of plain numbers.

    Example:
        >>> decimal_range(0.3, 0.31)
        '0.300–0.310'
    """
    return NONE if lo is None or hi is None else f"{_fixed(lo, digits)}–{_fixed(hi, digits)}"


def significant(x: float, lo: float | None = None, hi: float | None = None, digits: int = 3) -> str:
    """Write a value of any size to a few significant digits, with its interval where there is one.

    Example:
        >>> significant(0.2512), significant(-0.25, -0.3, 0.2), significant(1e-13)
        ('0.251', '−0.25 (−0.3 to 0.2)', '0')
    """
    value, *ends = (written(0 if abs(v) < 1e-12 else v, f".{digits}g") for v in (x, lo, hi) if v is not None)
    return value if lo is None or hi is None else f"{value} ({ends[0]} to {ends[1]})"


def count(x: float | None) -> str:
    """Write a whole number with its thousands set apart.

    Example:
        >>> count(12800), count(None)
        ('12,800', '–')
    """
    return NONE if x is None else f"{round(x):,}"


def probability(p: float | None) -> str:
    """Write a p-value; very small ones only as a bound.

    Example:
        >>> probability(0.0412), probability(1e-7)
        ('0.041', '< 0.001')
    """
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def duration(seconds: float | None) -> str:
    """Write a time with two units at most.

    Example:
        >>> duration(8.2), duration(118), duration(7384)
        ('8.2 s', '1 min 58 s', '2 h 3 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return NONE
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
