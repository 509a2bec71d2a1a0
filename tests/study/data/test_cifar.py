"""The files are small, but byte for byte in the form in which CIFAR is published."""

import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from overmix.errors import ConfigError, DataError, MissingExtraError
from overmix.study.data import load_dataset

RNG = np.random.default_rng(0)
PYTHON = {
    "cifar10": ("cifar-10-batches-py", [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], "labels"),
    "cifar100": ("cifar-100-python", ["train", "test"], "fine_labels"),
}
BINARY = {
    "cifar10": ("cifar-10-batches-bin", [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]),
    "cifar100": ("cifar-100-binary", ["train.bin", "test.bin"]),
}
NUM_CLASSES = {"cifar10": 10, "cifar100": 100}


def batches(name):
    """Return per file images (3, 3, 32, 32) and labels, the last file for testing."""
    return [
        (RNG.integers(256, size=(3, 3, 32, 32), dtype=np.uint8), RNG.integers(NUM_CLASSES[name], size=3).tolist())
        for _ in BINARY[name][1]
    ]


def binary(name, images, labels):
    coarse = {"cifar10": b"", "cifar100": b"\x07"}[name]
    return b"".join(coarse + bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True))


def python2(key, images, labels):
    """Return the pickle that Python 2 wrote: protocol 2, byte strings, and NumPy's array of that time."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    flat = images.tobytes()
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
    dtype_state = b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    shape = b"K" + bytes([len(images)]) + b"M\x00\x0c\x86"
    array_state = b"(K\x01" + shape + dtype + dtype_state + b"\x89T" + struct.pack("<i", len(flat)) + flat + b"tb"
    entries = [
        (b"batch_label", text(b"training batch 1 of 5")),
        (key.encode(), numbers),
        (b"data", array + array_state),
    ]
    return b"\x80\x02}(" + b"".join(text(name) + value for name, value in entries) + b"u."


def python3(protocol):
    """Return how the batch looks when it was loaded and saved again by Python 3."""
    return lambda key, images, labels: pickle.dumps(
        {"batch_label": "1", key: labels, "data": images.reshape(len(images), -1)}, protocol=protocol
    )


def write(root, name, form="binary", content=None, pickled=python2):
    content = batches(name) if content is None else content
    folder_name, files = BINARY[name] if form == "binary" else PYTHON[name][:2]
    folder = root / folder_name
    folder.mkdir(parents=True)
    for file, (images, labels) in zip(files, content, strict=True):
        encoded = binary(name, images, labels) if form == "binary" else pickled(PYTHON[name][2], images, labels)
        (folder / file).write_bytes(encoded)
    return folder


def check(data, content, name):
    *train, test = content
    assert np.array_equal(data.x.numpy(), np.concatenate([images for images, _ in train]))
    assert data.y.tolist() == [label for _, labels in train for label in labels]
    assert np.array_equal(data.x_test.numpy(), test[0])
    assert data.y_test.tolist() == test[1]
    assert (data.name, data.num_classes) == (name, NUM_CLASSES[name])
    assert (data.x.dtype, data.y.dtype) == (torch.uint8, torch.int64)


@pytest.mark.parametrize("form", ["binary", "python"])
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_both_published_forms_by_the_folder_or_its_parent(tmp_path, name, form):
    content = batches(name)
    folder = write(tmp_path, name, form, content)
    check(load_dataset(name, path=str(folder)), content, name)
    check(load_dataset(name, path=str(tmp_path)), content, name)


@pytest.mark.parametrize("protocol", [2, 4])
def test_python_batches_that_were_saved_again(tmp_path, protocol):
    content = batches("cifar10")
    write(tmp_path, "cifar10", "python", content, python3(protocol))
    check(load_dataset("cifar10", path=str(tmp_path)), content, "cifar10")


@pytest.mark.filterwarnings("ignore")
def test_our_python_2_pickle_is_one():
    """What is written above is read by Python's own reader too, as torchvision uses it."""
    images, labels = batches("cifar10")[0]
    entry = pickle.loads(python2("labels", images, labels), encoding="latin1")
    assert entry["labels"] == labels
    assert np.array_equal(entry["data"].reshape(3, 3, 32, 32), images)


def test_default_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = batches("cifar100")
    write(tmp_path / "data", "cifar100", "python", content)
    check(load_dataset("cifar100"), content, "cifar100")


@pytest.mark.parametrize(("name", "title"), [("cifar10", "CIFAR-10"), ("cifar100", "CIFAR-100")])
def test_missing_says_how_to_get_it(tmp_path, monkeypatch, name, title):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=rf"^data\.path = 'data, .*{title} is not there: unpack https://\S+\.tar\.gz there, or set"
    ):
        load_dataset(name)


def test_an_incomplete_folder_is_not_it(tmp_path):
    (write(tmp_path, "cifar10") / "data_batch_3.bin").unlink()
    with pytest.raises(ConfigError, match="CIFAR-10 is not there"):
        load_dataset("cifar10", path=str(tmp_path))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_download_is_the_binary_form(tmp_path, monkeypatch, name):
    content = batches(name)

    def fetch(url, root, md5):
        assert url.endswith(f"{name.replace('cifar', 'cifar-')}-binary.tar.gz")
        assert len(bytes.fromhex(md5)) == 16
        write(Path(root), name, "binary", content)

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", fetch)
    check(load_dataset(name, path=str(tmp_path), download=True), content, name)


def test_download_without_torchvision(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.datasets.utils", None)
    with pytest.raises(MissingExtraError, match=r"torchvision is not installed: pip install 'overmix\[vision\]'"):
        load_dataset("cifar10", path=str(tmp_path), download=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "9218 bytes are no records of 3073 bytes"),
        (lambda content: b"", "0 bytes are no records"),
        (lambda content: b"\x0a" + content[1:], r"the training label 10 is not in 0\.\.9"),
    ],
)
def test_damaged_binary_files(tmp_path, damage, message):
    file = write(tmp_path, "cifar10") / "data_batch_2.bin"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=rf"^data\.path \S+: {message}.*: fetch"):
        load_dataset("cifar10", path=str(tmp_path))


def test_a_file_cut_between_two_images(tmp_path):
    file = write(tmp_path, "cifar10") / "data_batch_2.bin"
    file.write_bytes(file.read_bytes()[:-3073])
    with pytest.raises(DataError, match=r"^data\.path \S+data_batch_2\.bin: it holds 2 images, not 3: fetch it again$"):
        load_dataset("cifar10", path=str(tmp_path))


def test_labels_shifted_over_python_batches(tmp_path):
    content = batches("cifar10")
    content[2][1].insert(0, content[0][1].pop())
    write(tmp_path, "cifar10", form="python", content=content, pickled=python3(2))
    with pytest.raises(DataError, match=r"^data\.path \S+data_batch_1: 3 images and 2 labels do not belong together"):
        load_dataset("cifar10", path=str(tmp_path))
