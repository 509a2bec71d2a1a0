import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from overmix.errors import ConfigError, DataError, MissingExtraError
from overmix.study.data import load_dataset
from overmix.study.data.fashion_mnist import read_idx

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(256, size=(6, 28, 28), dtype=np.uint8), np.array([0, 9, 1, 2, 3, 4], dtype=np.uint8)


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


def write(folder, compress=False, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "train-images-idx3-ubyte": idx(IMAGES),
        "train-labels-idx1-ubyte": idx(LABELS),
        "t10k-images-idx3-ubyte": idx(IMAGES[:2]),
        "t10k-labels-idx1-ubyte": idx(LABELS[:2]),
    }
    contents.update({name.replace("_", "-"): content for name, content in changes.items()})
    for name, content in contents.items():
        path = folder / (f"{name}.gz" if compress else name)
        path.write_bytes(gzip.compress(content) if compress else content)
    return str(folder)


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """Neither Debian's package nor a folder ``data`` is there."""
    monkeypatch.setattr("overmix.study.data.fashion_mnist._DEBIAN", tmp_path / "debian")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("place", ["", "FashionMNIST/raw"])
def test_the_files_as_published_and_as_torchvision_keeps_them(tmp_path, compress, place):
    write(tmp_path / place, compress)
    data = load_dataset("fashion_mnist", path=str(tmp_path))
    assert np.array_equal(data.x[:, 0].numpy(), IMAGES)
    assert np.array_equal(data.x_test[:, 0].numpy(), IMAGES[:2])
    assert data.y.tolist() == LABELS.tolist()
    assert (data.x.dtype, data.y.dtype, data.num_classes) == (torch.uint8, torch.int64, 10)


def test_default_places(nowhere):
    write(nowhere / "data" / "FashionMNIST" / "raw")
    assert len(load_dataset("fashion_mnist").y) == 6
    write(nowhere / "debian", compress=True, **{"train-images-idx3-ubyte": idx(255 - IMAGES)})
    assert np.array_equal(load_dataset("fashion_mnist").x[:, 0].numpy(), 255 - IMAGES)


@pytest.mark.skipif(not DEBIAN.exists(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_the_real_data_set():
    data = load_dataset("fashion_mnist", path=str(DEBIAN))
    assert (data.x.shape, data.x_test.shape) == ((60000, 1, 28, 28), (10000, 1, 28, 28))
    assert torch.bincount(data.y).tolist() == [6000] * 10
    assert torch.bincount(data.y_test).tolist() == [1000] * 10
    assert abs(data.x.float().mean() / 255 - 0.2860) < 5e-5


def test_missing_says_how_to_get_it(nowhere):
    with pytest.raises(ConfigError, match=r"apt-get install dataset-fashion-mnist, or set download: true, or name"):
        load_dataset("fashion_mnist")
    with pytest.raises(ConfigError, match=r"^data\.path = 'here, here/FashionMNIST/raw': Fashion-MNIST is not there"):
        load_dataset("fashion_mnist", path="here")


def test_an_incomplete_folder_is_not_it(tmp_path):
    write(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ConfigError, match="is not there"):
        load_dataset("fashion_mnist", path=str(tmp_path))


@pytest.mark.parametrize(("path", "root"), [("", "data"), ("own", "own")])
def test_download_goes_where_it_is_then_found(nowhere, monkeypatch, path, root):
    def fetch(where, download):
        assert download
        write(Path(where) / "FashionMNIST" / "raw")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", fetch)
    assert len(load_dataset("fashion_mnist", path=path, download=True).y) == 6
    assert (nowhere / root / "FashionMNIST" / "raw").is_dir()


def test_what_is_there_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.FashionMNIST", lambda *_, **__: pytest.fail("downloaded again"))
    load_dataset("fashion_mnist", path=write(tmp_path), download=True)


def test_a_failed_download(nowhere, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", fail)
    with pytest.raises(ConfigError, match=r"^data\.download = True: Fashion-MNIST cannot be fetched \(no network\)"):
        load_dataset("fashion_mnist", download=True)


def test_download_without_torchvision(nowhere, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(MissingExtraError, match=r"torchvision is not installed: pip install 'overmix\[vision\]'"):
        load_dataset("fashion_mnist", download=True)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train_labels_idx1_ubyte", idx(LABELS[:5]), "6 training images and 5 labels do not belong together"),
        ("t10k_labels_idx1_ubyte", idx(LABELS[:2] + 1), r"the test label 10 is not in 0\.\.9"),
        ("train_images_idx3_ubyte", idx(LABELS), r"it has shape \(6,\)"),
        ("train_images_idx3_ubyte", idx(IMAGES)[:-1], r"it has 4703 values, but says shape \(6, 28, 28\)"),
        ("train_images_idx3_ubyte", idx(IMAGES) + b"\0", "it has 4705 values"),
        ("train_images_idx3_ubyte", idx(IMAGES)[:10], "it is no idx file"),
        ("train_images_idx3_ubyte", b"", "it is no idx file"),
        ("train_images_idx3_ubyte", b"\0\0\x0d\x03" + idx(IMAGES)[4:], "it is no idx file of unsigned bytes"),
    ],
)
def test_damaged_files(tmp_path, file, content, message):
    with pytest.raises(DataError, match=rf"^data\.path .*: {message}.*: fetch"):
        load_dataset("fashion_mnist", path=write(tmp_path, **{file: content}))


@pytest.mark.parametrize("damage", [lambda c: c[:-9], lambda c: c[:100] + b"?" + c[101:], lambda c: b"not gzip" + c])
def test_damaged_compression(tmp_path, damage):
    path = tmp_path / "a.gz"
    path.write_bytes(damage(gzip.compress(idx(IMAGES))))
    with pytest.raises(DataError, match=r"a\.gz: it cannot be read"):
        read_idx(path)
