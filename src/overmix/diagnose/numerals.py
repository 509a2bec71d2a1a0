"""Numbers in sentences: a real minus sign, and no minus before zero."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

_MOST_DIGITS = 15  # of a float, all told


def written(x: float | Decimal, form: str) -> str:
    """Write a number by a format, with a real minus sign.

    Example:
        >>> written(-0.25, ".1f"), written(-0.01, ".1f"), written(0.3, "+.2g"), written(-2e-7, ".3g")
        ('−0.2', '0.0', '+0.3', '−2e−07')
    """
    text = format(x, form)
    if text.startswith("-") and not any(digit in text for digit in "123456789in"):
        text = text[1:]
    return text.replace("-", "−")


def told_apart(x: float, other: float, write: Callable[[float, int], str]) -> tuple[str, str]:
    """Write two numbers with as many more digits as it takes for them not to look the same.

    Args:
        x: the one.
        other: the other.
        write: from a number, and how many digits more than usual it has, to text.

    Example:
        >>> told_apart(0.0404, 0.04, lambda x, more: f"{x:.{2 + more}g}")
        ('0.0404', '0.04')
    """
    pairs = ((write(x, more), write(other, more)) for more in range(_MOST_DIGITS))
    return next((pair for pair in pairs if pair[0] != pair[1]), (write(x, 0), write(other, 0)))
