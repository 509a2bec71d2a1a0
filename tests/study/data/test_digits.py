import hashlib
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from overmix.errors import MissingExtraError
from overmix.study.data import load_dataset


def test_shapes_and_values():
    data = load_dataset("digits")
    assert (data.x.shape, data.x_test.shape) == ((797, 1, 8, 8), (1000, 1, 8, 8))
    assert (data.x.dtype, data.y.dtype, data.num_classes) == (torch.uint8, torch.int64, 10)
    assert (data.x.min(), data.x.max()) == (0, 16)


def test_pool_and_test_set_are_scikit_learns_with_their_labels():
    data, bunch = load_dataset("digits"), load_digits()
    ours = np.hstack([torch.cat([data.x, data.x_test]).flatten(1), torch.cat([data.y, data.y_test])[:, None]])
    theirs = np.hstack([bunch.data, bunch.target[:, None]])
    assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, theirs.tolist()))


def test_the_test_set_has_the_shares_of_the_whole():
    data = load_dataset("digits")
    expected = np.bincount(load_digits().target) * 1000 / 1797
    assert (abs(torch.bincount(data.y_test).numpy() - expected) < 2).all()


def test_the_test_set_never_changes():
    """Results of different studies and releases are compared on it."""
    digest = hashlib.sha256(load_dataset("digits").x_test.numpy().tobytes()).hexdigest()
    assert digest == "1adbae2c34e45e3f2e9fbceb19850af181cb090492a464ef9d8f4c2611373338"


def test_the_file_elsewhere(monkeypatch, tmp_path):
    """An installation that keeps the file in another place is asked itself."""
    before = load_dataset("digits")

    class Elsewhere:
        def locate_file(self, path):
            return tmp_path / path

    monkeypatch.setattr("overmix.study.data.digits.distribution", lambda name: Elsewhere())
    after = load_dataset("digits")
    assert (after.x == before.x).all()
    assert (after.y_test == before.y_test).all()


def test_without_scikit_learn(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("overmix.study.data.digits.distribution", missing)
    with pytest.raises(MissingExtraError, match=r"scikit-learn is not installed: pip install 'overmix\[study\]'"):
        load_dataset("digits")
