"""Arrays on disk: a file that was changed by a bit is no file any more."""

import numpy as np
import pytest

from overmix.errors import RunDirectoryError
from overmix.study.store.arrays import is_whole_npz, npz_bytes, read_npz
from overmix.study.store.files import is_whole_json, read_whole_json, write_json, write_sealed_json

ARRAYS = {"x": np.arange(6.0).reshape(2, 3), "wrong at 12": np.array([True, False])}
MARK = b"overmix-sha256:"


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])
        assert array.dtype == other[name].dtype


def test_every_bit_of_a_sealed_file_counts(tmp_path):
    path = tmp_path / "a.npz"
    content = npz_bytes(ARRAYS)
    path.write_bytes(content)
    assert_equal(read_npz(path), ARRAYS)
    mark = content.index(MARK)
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << at % 8
        path.write_bytes(flipped)
        if mark <= at < mark + len(MARK):  # without the mark it is a file of an earlier version
            assert_equal(read_npz(path), ARRAYS)
        else:
            assert not is_whole_npz(path), at
    for part in (b"", content[:50], content[:-1]):
        path.write_bytes(part)
        assert not is_whole_npz(path)


def test_without_a_seal_the_arrays_own_checksums_are_looked_at(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **ARRAYS)
    assert_equal(read_npz(path), ARRAYS)
    content = path.read_bytes()
    for at in range(content.index(b"PK\x01\x02")):  # they say nothing of the directory behind them
        flipped = bytearray(content)
        flipped[at] ^= 1 << at % 8
        path.write_bytes(flipped)
        if is_whole_npz(path):
            assert_equal(read_npz(path), ARRAYS)


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK")
    with pytest.raises(RunDirectoryError, match=r"a\.npz: it was changed or damaged since it was written"):
        read_npz(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", np.array([object()]), allow_pickle=True)
    (tmp_path / "b.npy").rename(tmp_path / "b.npz")
    assert not is_whole_npz(tmp_path / "b.npz")


def test_json_of_an_earlier_version_is_read_and_a_broken_seal_is_not(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"n": 1})
    assert read_whole_json(path) == {"n": 1}
    write_sealed_json(path, {"n": 1})
    assert read_whole_json(path) == {"n": 1}
    path.write_bytes(path.read_bytes().replace(b'"n": 1', b'"n": 2'))
    assert not is_whole_json(path)
