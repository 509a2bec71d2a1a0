"""Single cells of a log: numbers as tools and people write them, and what stands for none."""

from __future__ import annotations

import re

from overmix.written_numbers import has_percent, is_missing

_OF_ALL = re.compile(r"(?:epoch\s*)?\[?\s*(\d+)\s*/\s*\d+\s*\]?", re.IGNORECASE)


def parsed_number(value: object) -> float:
    """Return the number that a cell holds; of ``92.5%`` the 92.5.

    Raises:
        TypeError: nothing that could be a number.
        ValueError: text that is none.
        OverflowError: a whole number that no float can hold.

    Example:
        >>> parsed_number(" 92.5 %"), parsed_number(3)
        (92.5, 3.0)
    """
    return float(value.strip().removesuffix("%") if isinstance(value, str) else value)  # type: ignore[arg-type]


def is_absent(value: object) -> bool:
    """Whether a cell is empty. A NaN that was written is not: it tells of a run that diverged.

    Example:
        >>> is_absent(""), is_absent(None), is_absent("nan"), is_absent(0.0)
        (True, True, False, False)
    """
    return value is None or (isinstance(value, str) and is_missing(value))


def is_number(value: object) -> bool:
    """Whether a cell holds a number; a whole one too large for a float is one too.

    Example:
        >>> is_number("92.5%"), is_number(10**400), is_number("00:12"), is_number(None)
        (True, True, False, False)
    """
    try:
        parsed_number(value)
    except OverflowError:
        return True
    except (TypeError, ValueError):
        return False
    return True


def place(value: object) -> float:
    """Return the place on an axis that a cell says; of ``3/100`` the 3.

    Raises:
        TypeError: nothing that could be a number.
        ValueError: text that is none.
        OverflowError: a whole number that no float can hold.

    Example:
        >>> place("Epoch 3/100"), place(0.5)
        (3.0, 0.5)
    """
    counted = _OF_ALL.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(counted[1]) if counted else parsed_number(value)


def is_percent(value: object) -> bool:
    """Whether a cell is written with a percent sign."""
    return isinstance(value, str) and has_percent(value)


def label(cell: object) -> str | None:
    """Return the text by which a cell names a run or a condition; None if it is empty. ``none`` is a name there.

    Example:
        >>> label(" none "), label(0), label("  "), label(None)
        ('none', '0', None, None)
    """
    return None if cell is None else str(cell).strip() or None


def says(cell: object, wanted: str) -> bool:
    """Whether a cell holds what a user asked for, in text or as the same number.

    Example:
        >>> says(" mixup ", "mixup"), says(1, "1.0"), says(None, ""), says("a", "b")
        (True, True, False, False)
    """
    if label(cell) is None:
        return False
    if label(cell) == label(wanted):
        return True
    try:
        return parsed_number(cell) == parsed_number(wanted)
    except (TypeError, ValueError, OverflowError):
        return False
