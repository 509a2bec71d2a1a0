"""What matters: the practical size δ, and the verdict that holds a depth's interval against it."""

from __future__ import annotations

import math
from typing import Literal

from overmix.diagnose.interval import Interval
from overmix.diagnose.numerals import written

Verdict = Literal["u-shaped", "monotone", "undecided"]
Unit = Literal["fraction", "percent", "decibel", "value"]
"""Rates as fractions of 1 or in percent, ratios of powers in decibels, or anything else."""

MIN_SEEDS = 5  # fewer say too little about how much seeds differ: nothing is decided then
P_LEVEL = 0.04  # of one curve; not 5 %, so that noise whose size along the curve must be guessed stays below that
SHOWN = 0.0294  # p of what is called shown: 5 % over two looks, so that a user may add seeds once (Pocock, 1977)
LIKELY = 0.2  # p of what is called likely: an interval of 80 %
POWER = 0.84  # standard errors, the chance of 80 % that seeds which are added do tell
ERROR_DELTA = 0.005  # half a percentage point
RELATIVE_DELTA = 0.05
DECIBEL_DELTA = 10 * math.log10(1 + RELATIVE_DELTA)  # what 5 % more mean squared error costs of PSNR, at any level


def practical_size(lowest: float, unit: Unit = "fraction") -> float:
    """Smallest difference that matters, ``δ = max(half a percentage point, 5 % of |lowest|)``, for rates.

    For anything else (``unit="value"``) it is 5 % alone. Decibels are logarithms already, with a zero that means
    nothing: there it is 5 % of the power behind them, ``δ = 10 lg 1.05 = 0.21 dB``.

    Args:
        lowest: the lowest value of the curve, or the value that another is compared with; lower is better.
        unit: of the value, and of what is returned.

    Example:
        >>> [practical_size(lowest) for lowest in (0.06, 0.3)]
        [0.005, 0.015]
        >>> practical_size(30.0, "percent"), practical_size(0.06, "value")
        (1.5, 0.003)
        >>> round(practical_size(-31.0, "decibel"), 2)
        0.21
    """
    if unit == "decibel":
        return DECIBEL_DELTA
    floor = {"fraction": ERROR_DELTA, "percent": 100 * ERROR_DELTA, "value": 0.0}[unit]
    return max(floor, RELATIVE_DELTA * abs(lowest))


def verdict_of(depth_ci: Interval, delta: float) -> Verdict:
    """Hold the interval of the depth against the practical size.

    ``"u-shaped"`` if it lies above ``delta``, ``"monotone"`` if below, ``"undecided"`` if ``delta`` is inside.

    Example:
        >>> verdict_of((0.012, 0.031), 0.005), verdict_of((-0.001, 0.002), 0.005), verdict_of((0.001, 0.02), 0.005)
        ('u-shaped', 'monotone', 'undecided')
    """
    if depth_ci[0] > delta:
        return "u-shaped"
    return "monotone" if depth_ci[1] < delta else "undecided"


def seeds_to_narrow(n: int, *, half_width: float, seed_share: float, wanted: float) -> float | None:
    """About how many seeds, in all, bring an interval's half width down to ``wanted``.

    Of its square ``w²``, the share ``s`` falls as 1 / seeds and the rest, from the test samples, stays:

        ``s w² n / n' + (1 - s) w² = wanted²``,   so   ``n' = n s w² / (wanted² - (1 - s) w²)``

    Returns:
        ``n'``, or None where the test samples alone keep the interval wider.

    Example:
        >>> round(seeds_to_narrow(8, half_width=0.02, seed_share=1.0, wanted=0.01), 6)
        32.0
        >>> seeds_to_narrow(8, half_width=0.02, seed_share=0.5, wanted=0.01) is None
        True
    """
    room = wanted**2 - (1 - seed_share) * half_width**2
    return n * seed_share * half_width**2 / room if room > 0 else None


def format_size(size: float, unit: Unit = "fraction", *, signed: bool = False, more: int = 0) -> str:
    """Write a difference the way its reader thinks of it, with ``more`` digits than usual.

    Example:
        >>> format_size(0.0253), format_size(2.53, "percent", signed=True), format_size(0.0253, "value")
        ('2.5 points', '+2.5 points', '0.0253')
        >>> format_size(0.01), format_size(-0.01)
        ('1 point', '−1 point')
        >>> format_size(0.010049, more=2)
        '1.005 points'
    """
    sign = "+" if signed and size > 0 else ""
    if unit in ("value", "decibel"):
        return sign + written(size, f".{3 + more}g") + (" dB" if unit == "decibel" else "")
    points = written((100 if unit == "fraction" else 1) * size, f".{2 + more}g")
    return f"{sign}{points} {'point' if points in ('1', '−1') else 'points'}"
