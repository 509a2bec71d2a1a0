"""Data frames of R packages that keep their data in a database of R's own: ``Rdata.rdb`` with its index."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from overmix.errors import ConfigError, DataError

LIBRARY = "OVERMIX_R_LIBRARY"
"""Environment variable that names the folder of R's packages, if it is not where Debian puts them."""

_DEBIAN = "/usr/lib/R/site-library"
_NA = -(2**31)  # of R's integers and factors


class Vector(NamedTuple):
    """A vector or list of R.

    Args:
        values: of the vector.
        attributes: by name, such as ``names`` and ``levels``.
    """

    values: list[Any]
    attributes: dict[str, Any]


def r_frame(package: str, frame: str) -> dict[str, list[Any]]:
    """Return the columns of a data frame by name: factors as text, missing values of factors and integers as None.

    Args:
        package: its name in R.
        frame: the object's name.

    Raises:
        ConfigError: if the package, or the frame in it, is not there.
        DataError: if the frame holds what only R can read.
    """
    base = r_file(package, "Rdata.rdx")
    index = _by_name(_Reader(gzip.decompress(base.with_suffix(".rdx").read_bytes())).read())
    places = _by_name(index["variables"])
    if frame not in places:
        raise ConfigError("frame", frame, f"{package} has no such table")
    offset, length = places[frame].values
    stored = base.with_suffix(".rdb").read_bytes()[offset : offset + length]
    content = zlib.decompress(stored[4:])  # the first four bytes say how long it is
    return {name: _column(vector) for name, vector in _by_name(_Reader(content).read()).items()}


def r_file(package: str, file: str) -> Path:
    """Return a file in the folder ``data`` of an R package.

    Raises:
        ConfigError: if it is not there.
    """
    path = Path(os.environ.get(LIBRARY, _DEBIAN)) / package / "data" / file
    if not path.exists():
        remedy = f"{package}/data/{file} is not there: install Debian's r-cran-{package.lower()}, or set it"
        raise ConfigError(LIBRARY, path.parents[2], remedy)
    return path


def _by_name(vector: Vector) -> dict[str, Vector]:
    return dict(zip(vector.attributes["names"].values, vector.values, strict=True))


def _column(vector: Vector) -> list[Any]:
    if "levels" in vector.attributes:
        levels = vector.attributes["levels"].values
        return [None if code == _NA else levels[code - 1] for code in vector.values]
    return [None if value == _NA else value for value in vector.values]


class _Reader:
    """What R's ``serialize`` wrote in its XDR form: big-endian items, each with a word of flags before it."""

    def __init__(self, content: bytes) -> None:
        if content[:2] != b"X\n":
            raise DataError("the table is in a form that only R reads: export it there")
        self._content, self._at = content, 2
        self._symbols: list[str] = []

    def read(self) -> Vector:
        """Return the one object."""
        version, _, _ = self.numbers("i", 3)
        if version == 3:  # the name of the encoding follows
            self._bytes(*self.numbers("i", 1))
        vector: Vector = self.item()
        return vector

    def item(self) -> Any:
        """Return the next item."""
        (flags,) = self.numbers("i", 1)
        kind = flags & 0xFF
        if kind in _OTHERS:
            return _OTHERS[kind](self, flags)
        if kind not in _VECTORS:
            raise DataError(f"the table holds R's type {kind}, which only R reads: export it there")
        (count,) = self.numbers("i", 1)
        values = _VECTORS[kind](self, count)
        return Vector(values, self.item() if flags & _HAS_ATTRIBUTES else {})

    def new_symbol(self, flags: int) -> str:
        """Return a name that later items may refer to."""
        name: str = self.item()
        self._symbols.append(name)
        return name

    def known_symbol(self, flags: int) -> str:
        """Return a name that was there before, by its number."""
        number = flags >> 8 or self.numbers("i", 1)[0]
        return self._symbols[number - 1]

    def text(self, flags: int) -> str | None:
        """Return a text, or None for a missing one."""
        (length,) = self.numbers("i", 1)
        return None if length == -1 else self._bytes(length).decode()

    def pairs(self, flags: int) -> dict[str, Any]:
        """Return a chain of pairs, as attributes are written: a name, a value, and the rest of the chain."""
        if flags & _HAS_ATTRIBUTES:
            self.item()
        name: str = self.item()
        value = self.item()
        return {name: value, **self.item()}

    def numbers(self, form: str, count: int) -> list[Any]:
        """Return so many numbers of a form that ``struct`` knows."""
        layout = f">{count}{form}"
        return list(struct.unpack(layout, self._bytes(struct.calcsize(layout))))

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]


_HAS_ATTRIBUTES = 0x200
_OTHERS: dict[int, Callable[[_Reader, int], Any]] = {
    254: lambda reader, flags: {},  # the end of a chain
    255: _Reader.known_symbol,
    1: _Reader.new_symbol,
    2: _Reader.pairs,
    9: _Reader.text,
}
_VECTORS: dict[int, Callable[[_Reader, int], list[Any]]] = {
    10: lambda reader, count: reader.numbers("i", count),  # TRUE and FALSE
    13: lambda reader, count: reader.numbers("i", count),
    14: lambda reader, count: reader.numbers("d", count),
    16: lambda reader, count: [reader.item() for _ in range(count)],  # texts
    19: lambda reader, count: [reader.item() for _ in range(count)],  # lists
}
