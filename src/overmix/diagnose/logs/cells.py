"""Single cells of a log: numbers as tools and people write them, and what stands for none."""

from __future__ import annotations

import re
from dataclasses import dataclass

from overmix.files.written_numbers import has_percent, is_missing

_WHOLE = re.compile(r"[-+]?\d+\.0", re.ASCII)
_OF_ALL = re.compile(r"(?:epoch\s*)?\[?\s*(\d+)\s*/\s*\d+\s*\]?", re.IGNORECASE)


class UnclearNumberError(ValueError):
    """A number whose decimal sign cannot be told."""


@dataclass(frozen=True)
class WrittenNumber:
    """A number that is not written as Python does, such as ``1,234``; where it names a run, its text does.

    Attributes:
        text: as it stands in the log.
        number: as Python writes it; None if its column does not tell what it is.
        why: then, what is unclear.
    """

    text: str
    number: str | None
    why: str = ""

    def __str__(self) -> str:
        return self.text

    def __float__(self) -> float:
        if self.number is None:
            raise UnclearNumberError(self.why)
        return float(self.number)


def parsed_number(value: object) -> float:
    """Return the number that a cell holds; of ``92.5%`` the 92.5.

    Raises:
        TypeError: nothing that could be a number.
        ValueError: text that is none.
        UnclearNumberError: a number that may be two.
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
    """Whether a cell holds a number; a whole one too large for a float is one too, and one that may be two.

    Example:
        >>> is_number("92.5%"), is_number(10**400), is_number("00:12"), is_number(None)
        (True, True, False, False)
    """
    try:
        parsed_number(value)
    except (OverflowError, UnclearNumberError):
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
    return isinstance(value, str | WrittenNumber) and has_percent(str(value))


def label(cell: object) -> str | None:
    """Return the text by which a cell names a run or a condition; None if it is empty. ``none`` is a name there.

    Seed ``1.0`` is seed 1: pandas writes it so where other cells of the column are empty.

    Example:
        >>> label(" none "), label(0), label("1.0"), label("  "), label(None)
        ('none', '0', '1', None, None)
    """
    text = "" if cell is None else str(cell).strip()
    return (text.removesuffix(".0") if _WHOLE.fullmatch(text) else text) or None


def says(cell: object, wanted: str) -> bool:
    """Whether a cell holds what a user asked for, in text or as the same number; an empty cell, nothing.

    Example:
        >>> says(" mixup ", "mixup"), says(0.1, "0.10"), says(None, ""), says("a", "b")
        (True, True, True, False)
    """
    if label(cell) == label(wanted):
        return True
    try:
        return parsed_number(cell) == parsed_number(wanted)
    except (TypeError, ValueError, OverflowError):
        return False
