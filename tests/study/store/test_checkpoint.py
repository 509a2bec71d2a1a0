import json
import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from overmix.errors import RunDirectoryError
from overmix.study.store.checkpoint import load_tensors, save_tensors

TENSORS = {
    "a": torch.tensor([[1.0, float("nan")], [float("inf"), -0.0]]),
    "b": torch.tensor([2**62, -1]),
    "c": torch.tensor([True, False]),
    "d": torch.arange(6.0).reshape(2, 3).T,
    "e": torch.zeros(0, 3),
}
HEADER = {"stack": "id", "seconds": 1.5, "counts": [[1, 2]]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, HEADER)
    return path


def test_what_is_saved_is_loaded_bit_for_bit(path):
    tensors, header = load_tensors(path, "id")
    assert header == HEADER
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(tensors[name].numpy(), tensor.numpy())


def test_the_same_content_is_the_same_bytes(path, tmp_path):
    save_tensors(tmp_path / "y", dict(reversed(TENSORS.items())), dict(reversed(HEADER.items())))
    assert (tmp_path / "y").read_bytes() == path.read_bytes()


def test_a_missing_file_and_another_stack(path, tmp_path):
    assert load_tensors(tmp_path / "none", "id") is None
    assert load_tensors(path, "other") is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_truncated_file_is_no_file(path, data):
    content = path.read_bytes()
    damaged = path.with_name("damaged")
    damaged.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert load_tensors(damaged, "id") is None


def test_a_file_that_was_changed_by_a_bit_is_no_file(path):
    """Every bit counts: of the header's length, its keys, the seal and its mark, the offsets and the data."""
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 7):  # 7 and 8 have no common divisor: every byte, every position
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert load_tensors(path, "id") is None, bit
    path.write_bytes(content)
    assert load_tensors(path, "id") is not None


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert load_tensors(tmp_path / "pipe", "id") is None


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 100, b"PK\x03\x04" + b"0" * 64])
def test_garbage_is_no_file(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    assert load_tensors(tmp_path / "x", "id") is None


@pytest.mark.parametrize("metadata", [None, {"other": "x"}, {"overmix": "{"}, {"overmix": "[]"}, {"overmix": "{}"}])
def test_a_file_of_another_program_is_no_file(tmp_path, metadata):
    save_file({"a": torch.zeros(1)}, tmp_path / "x", metadata=metadata)
    assert load_tensors(tmp_path / "x", "id") is None


def test_a_folder_is_no_file(tmp_path):
    assert load_tensors(tmp_path, "id") is None


def test_nothing_is_pickled(path):
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert json.loads(header["__metadata__"]["overmix"])["header"] == HEADER


def test_a_full_disk_keeps_the_old_checkpoint(path, monkeypatch):
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunDirectoryError, match=r"No space left on device\): free some space"):
        save_tensors(path, {}, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
