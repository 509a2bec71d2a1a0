"""Numbers in sentences: a real minus sign, and no minus before zero."""

from __future__ import annotations

from decimal import Decimal


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
