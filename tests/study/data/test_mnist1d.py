import random
import socket
import sys

import numpy as np
import pytest
import torch
from mnist1d.data import get_dataset_args, make_dataset

from overmix.errors import MissingExtraError
from overmix.study.data import load_dataset


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The data set, loaded once in an empty folder without a network, and the random states before and after."""
    folder = tmp_path_factory.mktemp("mnist1d")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(socket, "socket", lambda *_, **__: pytest.fail("it used the network"))
        before = states()
        data = load_dataset("mnist1d")
        return data, before, states(), list(folder.iterdir())


@pytest.fixture(scope="module")
def data(loaded):
    return loaded[0]


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def test_it_is_the_packages_own_data_set_every_time(data):
    state = np.random.get_state()  # noqa: NPY002
    theirs = make_dataset(get_dataset_args())
    np.random.set_state(state)  # noqa: NPY002
    assert (data.x.shape, data.x_test.shape) == ((4000, 1, 40), (1000, 1, 40))
    assert (data.x.dtype, data.y.dtype, data.num_classes) == (torch.float32, torch.int64, 10)
    for ours, name in ((data.x[:, 0], "x"), (data.x_test[:, 0], "x_test"), (data.y, "y"), (data.y_test, "y_test")):
        assert np.array_equal(ours.numpy(), theirs[name].astype(ours.numpy().dtype))


def test_every_class_is_in_both_parts(data):
    assert data.y.unique().tolist() == data.y_test.unique().tolist() == list(range(10))


def test_random_states_network_and_files_are_left_alone(loaded):
    _, before, after, files = loaded
    assert after == before
    assert not files


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "mnist1d.data", None)
    with pytest.raises(MissingExtraError, match=r"mnist1d is not installed: pip install 'overmix\[data\]'"):
        load_dataset("mnist1d")
