"""R's own database of data frames, against one written here by the description of its format in R's manual."""

import gzip
import struct
import zlib

import pytest

from overmix.errors import ConfigError, DataError
from overmix.experiments.census.systems.r_frames import LIBRARY, r_frame

HEADER = b"X\n" + struct.pack(">3i", 2, 0x030601, 0x020300)
WITH_ATTRIBUTES = 0x200
END = struct.pack(">i", 254)


def integers(*values, attributes=b""):
    return _vector(13, struct.pack(f">{len(values)}i", *values), len(values), attributes)


def reals(*values):
    return _vector(14, struct.pack(f">{len(values)}d", *values), len(values), b"")


def texts(*values):
    return _vector(16, b"".join(struct.pack(">2i", 9, len(v.encode())) + v.encode() for v in values), len(values), b"")


def items(**items):
    return _vector(19, b"".join(items.values()), len(items), _attribute("names", texts(*items)) + END)


def _vector(kind, content, length, attributes):
    flags = kind | (WITH_ATTRIBUTES if attributes else 0)
    return struct.pack(">2i", flags, length) + content + attributes


def _attribute(name, value):
    return struct.pack(">2i", 0x400 | 2, 1) + struct.pack(">2i", 9, len(name)) + name.encode() + value


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Returns a function that stores a serialized object as the frame ``cars`` of the package ``made``."""
    monkeypatch.setenv(LIBRARY, str(tmp_path))
    folder = tmp_path / "made" / "data"
    folder.mkdir(parents=True)

    def store(content):
        stored = struct.pack(">i", len(content)) + zlib.compress(content)
        (folder / "Rdata.rdb").write_bytes(b"other" + stored)
        index = items(variables=items(cars=integers(5, len(stored))))
        (folder / "Rdata.rdx").write_bytes(gzip.compress(HEADER + index))

    return store


def test_columns_are_numbers_texts_and_factors(library):
    missing = -(2**31)
    kind = integers(2, 1, missing, attributes=_attribute("levels", texts("slow", "fast")) + END)
    library(
        HEADER + items(kind=kind, doors=integers(3, missing, 5), price=reals(1.5, 2, -1), maker=texts("b", "", "é"))
    )
    assert r_frame("made", "cars") == {
        "kind": ["fast", "slow", None],
        "doors": [3, None, 5],
        "price": [1.5, 2.0, -1.0],
        "maker": ["b", "", "é"],
    }


def test_what_is_not_there_is_named(library, tmp_path):
    library(HEADER + items(doors=integers(3)))
    with pytest.raises(ConfigError, match=r"trains.*made has no such table"):
        r_frame("made", "trains")
    with pytest.raises(ConfigError, match="install Debian's r-cran-other"):
        r_frame("other", "cars")


def test_what_only_r_reads_is_refused(library):
    library(HEADER + items(work=struct.pack(">i", 3)))  # a function
    with pytest.raises(DataError, match="type 3, which only R reads"):
        r_frame("made", "cars")
    library(b"A\n2\n")
    with pytest.raises(DataError, match="only R reads"):
        r_frame("made", "cars")
