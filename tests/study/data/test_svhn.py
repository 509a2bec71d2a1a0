import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from overmix.errors import ConfigError, DataError, MissingExtraError
from overmix.study.data import load_dataset

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(256, size=(4, 3, 32, 32), dtype=np.uint8)
LABELS = np.array([1, 10, 9, 10], dtype=np.uint8)


def write(folder, **changes):
    """Write files of SVHN's form: X of shape (32, 32, 3, n), y of shape (n, 1), the digit zero as 10."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"X": IMAGES.transpose(2, 3, 1, 0), "y": LABELS[:, None]}
    train = {key: value for key, value in {**content, **changes}.items() if value is not None}
    savemat(folder / "train_32x32.mat", train, do_compression=True)
    savemat(folder / "test_32x32.mat", {"X": content["X"][..., :2], "y": content["y"][:2]}, do_compression=True)
    return str(folder)


@pytest.mark.parametrize("place", ["", "svhn", "SVHN"])
def test_files_in_the_published_form(tmp_path, place):
    write(tmp_path / place)
    data = load_dataset("svhn", path=str(tmp_path))
    assert np.array_equal(data.x.numpy(), IMAGES)
    assert np.array_equal(data.x_test.numpy(), IMAGES[:2])
    assert data.y.tolist() == [1, 0, 9, 0]
    assert data.y_test.tolist() == [1, 0]
    assert (data.x.dtype, data.y.dtype, data.num_classes) == (torch.uint8, torch.int64, 10)
    assert data.x.is_contiguous()


def test_it_is_what_torchvision_reads(tmp_path, monkeypatch):
    from torchvision.datasets import SVHN

    write(tmp_path)
    monkeypatch.setattr(SVHN, "_check_integrity", lambda self: True)
    theirs, ours = SVHN(str(tmp_path), split="train"), load_dataset("svhn", path=str(tmp_path))
    assert np.array_equal(ours.x.numpy(), theirs.data)
    assert ours.y.tolist() == theirs.labels.tolist()


def test_missing_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=r"^data\.path = 'data, data/svhn, data/SVHN': SVHN is not there: set download: true, or name"
    ):
        load_dataset("svhn")


def test_download(tmp_path, monkeypatch):
    splits = []

    def fetch(root, split, download):
        splits.append(split)
        write(Path(root))

    monkeypatch.setattr("torchvision.datasets.SVHN", fetch)
    assert len(load_dataset("svhn", path=str(tmp_path / "new"), download=True).y) == 4
    assert splits == ["train", "test"]


def test_download_without_torchvision(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(MissingExtraError, match=r"torchvision is not installed: pip install 'overmix\[vision\]'"):
        load_dataset("svhn", path=str(tmp_path), download=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": None}, "X is no array of bytes"),
        ({"y": None}, "y does not hold one label per image"),
        ({"X": np.zeros((4, 32, 32, 3), np.uint8)}, r"X is no array of bytes of shape \(32, 32, 3, n\)"),
        ({"X": np.zeros((32, 32, 3, 4))}, "X is no array of bytes"),
        ({"y": LABELS[:3]}, "y does not hold one label per image"),
        ({"y": np.array([0, 1, 2, 3])}, r"it has labels outside of 1\.\.10"),
        ({"y": np.array([1, 2, 3, 11])}, r"it has labels outside of 1\.\.10"),
    ],
)
def test_files_of_another_form(tmp_path, changes, message):
    with pytest.raises(DataError, match=rf"^data\.path \S+train_32x32\.mat: {message}.*: fetch it again"):
        load_dataset("svhn", path=write(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"text", b"MATLAB 5.0 MAT-file" + bytes(200)])
def test_damaged_files(tmp_path, content):
    write(tmp_path)
    (tmp_path / "test_32x32.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"test_32x32\.mat: (it cannot be read|X is no array)"):
        load_dataset("svhn", path=str(tmp_path))


@pytest.mark.parametrize("position", [130, 200, 5000])
def test_a_flipped_byte_is_noticed(tmp_path, position):
    write(tmp_path)
    path = tmp_path / "train_32x32.mat"
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"train_32x32\.mat"):
        load_dataset("svhn", path=str(tmp_path))
