"""Numbers as people and spreadsheets write them: decimal commas, thousands, percent signs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

DecimalSign = Literal[".", ","]
Shown = Literal[".", ",", "either", "none"]
"""The decimal sign that a number shows; ``"either"`` of ``1,234`` and ``1.234``, ``"none"`` of ``12``."""

_THOUSANDS = " '\u00a0\u202f\u2019"  # blanks and apostrophes separate thousands under either decimal sign
_MINUS = "\u2212"  # as papers and plots print it
_WORDS = re.compile(r"[-+]?(?:inf|infinity|nan)", re.IGNORECASE)

_MISSING = frozenset(("", "na", "n/a", "<na>", "#na", "#n/a", "#n/a n/a", "null", "none", "-", "?"))


def is_missing(cell: str) -> bool:
    """Whether a cell stands for a missing one among numbers. NaN does not: it is what a run that diverged logs.

    Example:
        >>> [is_missing(cell) for cell in ("", " None ", "#N/A", "nan", "0")]
        [True, True, True, False, False]
    """
    return cell.strip().lower() in _MISSING


def _pattern(decimal: DecimalSign, other: DecimalSign) -> re.Pattern[str]:
    end = rf"(?:\{decimal}\d*)?"
    plain = rf"(?:\d+{end}|\{decimal}\d+)(?:[eE][-+]?\d+)?"
    grouped = rf"[1-9]\d{{0,2}}(?P<sign>[\{other}{_THOUSANDS}])\d{{3}}(?:(?P=sign)\d{{3}})*{end}"
    return re.compile(rf"[-+]?(?:{plain}|{grouped})", re.ASCII)


_PATTERNS: Mapping[DecimalSign, re.Pattern[str]] = {".": _pattern(".", ","), ",": _pattern(",", ".")}


def sign_shown(cell: str) -> Shown | None:
    """Return which decimal sign a cell shows; ``None`` if it holds no number.

    Example:
        >>> [sign_shown(cell) for cell in ("0.5", "171,3", "1,234", "1,234.5", "12 %", "1.5x")]
        ['.', ',', 'either', '.', 'none', None]
    """
    number = _without_percent(cell)
    fits: list[DecimalSign] = [sign for sign, pattern in _PATTERNS.items() if pattern.fullmatch(number)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        return "either" if "," in number or "." in number else "none"
    return "none" if _WORDS.fullmatch(number) else None


def is_mostly_numbers(cells: Sequence[str]) -> bool:
    """Whether more than half of a column's cells are numbers, however they are written."""
    shown = {cell: sign_shown(cell) is not None for cell in set(cells)}
    return 2 * sum(shown[cell] for cell in cells) > len(cells)


def decimal_signs(
    columns: Mapping[str, Sequence[str]], *, otherwise: DecimalSign | None
) -> dict[str, DecimalSign | None]:
    """Return the decimal sign of each column of a file; ``None`` where it cannot be told.

    The cells of a column say it; where all of them are like ``1,234`` or ``12``, the other columns of the file do.

    Args:
        columns: cells that are not missing, by the column's name.
        otherwise: the sign where neither says it, and commas stand wherever thousands want one. Points are decimals
            there, unless numbers from 100 to 999 stand without one beside them.

    Example:
        >>> decimal_signs({"step": ["1,000", "2,000"], "loss": ["0.31", "0.3"]}, otherwise=None)
        {'step': '.', 'loss': '.'}
        >>> decimal_signs({"step": ["1,000", "2,000"]}, otherwise=None)
        {'step': None}
        >>> decimal_signs({"step": ["750", "1.000"], "loss": ["31 %", "30 %"]}, otherwise=None)
        {'step': None, 'loss': '.'}
    """
    shown = {name: {cell: sign_shown(cell) for cell in set(cells)} for name, cells in columns.items()}
    by_file = {
        sign
        for sign in _PATTERNS
        if any(sign in shown[name].values() and is_mostly_numbers(cells) for name, cells in columns.items())
    }
    return {name: _sign_of(shown[name], by_file, otherwise) for name in columns}


def _sign_of(
    shown: Mapping[str, Shown | None], by_file: set[DecimalSign], otherwise: DecimalSign | None
) -> DecimalSign | None:
    certain: list[DecimalSign] = [sign for sign in _PATTERNS if sign in shown.values()]
    if certain:
        return certain[0] if len(certain) == 1 else None
    unclear = [cell for cell, sign in shown.items() if sign == "either"]
    if not unclear:
        return "."
    if len(by_file) == 1:
        return next(iter(by_file))
    whole = [_without_percent(cell) for cell, sign in shown.items() if sign == "none"]
    otherwise_grouped = any(re.search(rf"\d{{4}}|\d[{_THOUSANDS}]\d", cell) for cell in whole)
    if not any("," in cell for cell in unclear):
        # Beside 750, a 1.250 may well be a thousand; beside 1500 it is none.
        below_thousand = any(re.fullmatch(r"[-+]?[1-9]\d\d", cell) for cell in whole)
        return None if below_thousand and not otherwise_grouped else "."
    return None if by_file or otherwise_grouped or any("." in cell for cell in unclear) else otherwise


def as_python(cell: str, decimal: DecimalSign) -> str | None:
    """Return a number as Python writes it, without its percent sign; ``None`` if it is none under this decimal sign.

    Example:
        >>> as_python("1.234,5", ","), as_python("1,234", "."), as_python("92,1 %", ","), as_python("0,5", ".")
        ('1234.5', '1234', '92.1', None)
    """
    number = _without_percent(cell)
    if _WORDS.fullmatch(number):
        return number
    if _PATTERNS[decimal].fullmatch(number) is None:
        return None
    other = "," if decimal == "." else "."
    return re.sub(rf"[\{other}{_THOUSANDS}]", "", number).replace(decimal, ".")


def why_no_numbers(cells: Iterable[str | None]) -> str | None:
    """Say why the cells of a column are no numbers although most of them look so; ``None`` if most do not.

    Args:
        cells: of all rows, ``None`` where one is missing.

    Example:
        >>> why_no_numbers(["1", "2", None, "1.5x", "4"])
        "has numbers, but '1.5x' in row 4"
        >>> why_no_numbers(["12%", "0.5"])
        "has numbers with a percent sign and without, '12%' in row 1 and '0.5' in row 2"
    """
    known = [(row, cell) for row, cell in enumerate(cells, start=1) if cell is not None]
    if not is_mostly_numbers([cell for _, cell in known]):
        return None
    other = next((place for place in known if sign_shown(place[1]) is None), None)
    if other is not None:
        return f"has numbers, but {_shown(other)}"
    percent = {has_percent(place[1]): place for place in reversed(known)}
    if len(percent) == 2:
        return f"has numbers with a percent sign and without, {_shown(percent[True])} and {_shown(percent[False])}"
    return _why_unclear(known)


def why_unclear_sign(cells: Iterable[str | None]) -> str | None:
    """Say why the decimal sign of a column cannot be told; ``None`` if it can.

    Example:
        >>> why_unclear_sign(["0,85", None, "0.9"])
        "has decimal points and decimal commas, '0.9' in row 3 and '0,85' in row 1"
    """
    return _why_unclear([(row, cell) for row, cell in enumerate(cells, start=1) if cell is not None])


def _why_unclear(known: Sequence[tuple[int, str]]) -> str | None:
    first = {sign_shown(place[1]): place for place in reversed(known)}
    if "." in first and "," in first:
        return f"has decimal points and decimal commas, {_shown(first['.'])} and {_shown(first[','])}"
    if "either" in first:
        longer = f"{_without_percent(first['either'][1])}0"
        return f"has {_shown(first['either'])}, which may be a thousand or a decimal ({longer} is a decimal)"
    return None


def _shown(place: tuple[int, str]) -> str:
    row, cell = place
    return f"{cell[:40]!r} in row {row}"


def has_percent(cell: str) -> bool:
    """Whether a cell is written with a percent sign."""
    return cell.rstrip().endswith("%")


def _without_percent(cell: str) -> str:
    return cell.strip().removesuffix("%").rstrip().replace(_MINUS, "-")
