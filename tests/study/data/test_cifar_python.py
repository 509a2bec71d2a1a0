import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overmix.errors import DataError
from overmix.study.data.cifar_python import read_python_batch

SHAPE = (3, 2, 2)
DATA = np.arange(24, dtype=np.uint8).reshape(2, 12)


def read(tmp_path, batch, protocol=2):
    content = batch if isinstance(batch, bytes) else pickle.dumps(batch, protocol=protocol)
    (tmp_path / "batch").write_bytes(content)
    return read_python_batch(tmp_path / "batch", "labels", SHAPE)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_batch(tmp_path, protocol):
    images, labels = read(tmp_path, {"data": DATA, "labels": [3, 1]}, protocol)
    assert np.array_equal(images, DATA.reshape(2, *SHAPE))
    assert labels.tolist() == [3, 1]


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.mkdir, r"posix\.mkdir"),
        (eval, r"(__builtin__|builtins)\.eval"),
        (exec, r"(__builtin__|builtins)\.exec"),
        (getattr, r"(__builtin__|builtins)\.getattr"),
        (np.fromfile, r"numpy.*fromfile"),
    ],
)
def test_nothing_that_the_file_names_is_called(tmp_path, monkeypatch, function, name):
    monkeypatch.chdir(tmp_path)
    trap = Call(function, "trap")
    with pytest.raises(DataError, match=rf"^data\.path \S+: it is no batch of CIFAR \(it asks for {name}\): fetch it"):
        read(tmp_path, {"data": DATA, "labels": [3, trap]})
    assert [path.name for path in tmp_path.iterdir()] == ["batch"]


@pytest.mark.parametrize("dtype", [object, np.float64, np.int64, "S3"])
def test_arrays_of_anything_but_bytes_are_refused(tmp_path, dtype):
    with pytest.raises(DataError, match=r"it is no batch of CIFAR \((its data are not rows of bytes|it asks for)"):
        read(tmp_path, {"data": DATA.astype(dtype), "labels": [3, 1]})


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([1, 2], "it is no batch of CIFAR"),
        ({"labels": [3, 1]}, r"it is no batch of CIFAR \('data'\)"),
        ({"data": "text", "labels": [3, 1]}, "it is no batch of CIFAR"),
        ({"data": np.asfortranarray(DATA), "labels": [3, 1]}, "it is no batch of CIFAR .its data are not rows"),
        ({"data": DATA[:, :-1], "labels": [3, 1]}, r"its data have shape \(2, 11\), not \(n, 12\)"),
        ({"data": DATA.ravel(), "labels": [3, 1]}, r"its data have shape \(24,\), not"),
        ({"data": DATA}, r"it is no batch of CIFAR \('labels'\)"),
        ({"data": DATA, "labels": ["cat", "dog"]}, "its labels are no list of small integers"),
        ({"data": DATA, "labels": [0.0, True]}, "its labels are no list of small integers"),
        ({"data": DATA, "labels": [1, 2**70]}, "its labels are no list of small integers"),
        (b"", "it is no batch of CIFAR"),
        (b"text", "it is no batch of CIFAR"),
    ],
)
def test_what_is_no_batch(tmp_path, batch, message):
    with pytest.raises(DataError, match=rf"^data\.path \S+: {message}.*: fetch it again$"):
        read(tmp_path, batch)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_python_batch(tmp_path / "batch", "labels", SHAPE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.integers(0, 10**6))
def test_a_damaged_batch_is_refused_or_still_one(tmp_path, position, value, cut):
    content = bytearray(pickle.dumps({"data": DATA, "labels": [3, 1]}, protocol=2))
    content[position % len(content)] = value
    try:
        images, labels = read(tmp_path, bytes(content[: len(content) - cut % 3]))
    except DataError:
        return
    assert images.dtype == np.uint8
    assert images.shape[1:] == SHAPE
    assert labels.dtype == np.int64
