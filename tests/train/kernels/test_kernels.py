"""Every fast operator: equal to its plain twin where it is there, and not missed where it is not."""

import numpy as np
import pytest
import torch

from overmix.train import SGD
from overmix.train.kernels import KERNELS, Kernel

every_kernel = pytest.mark.parametrize("name", KERNELS)


@every_kernel
def test_fast_and_plain_are_one_operator(name):
    # Raises where the installed PyTorch lacks it: the bounds of the dependency are then no longer true.
    assert KERNELS[name].agrees()


def absent(*arguments, **settings):
    raise AttributeError("no such operator")


def wrong(p, q):
    return p + q + 1


@pytest.mark.parametrize("fast", [absent, wrong])
def test_what_is_not_there_or_wrong_is_not_used(fast):
    kernel = Kernel(lambda p, q: p + q, fast, lambda: ((torch.ones(2), torch.ones(2)), {}))
    assert not kernel.is_there
    assert torch.equal(kernel(torch.ones(2), torch.ones(2)), torch.full((2,), 2.0))


def test_a_training_without_any_of_them_is_the_same_but_for_rounding(replica, training, monkeypatch):
    runs = [replica(0), replica(1, weight_decay=1e-3)]
    with_them = training(runs, optimizer=SGD(0.9)).train()
    for kernel in KERNELS.values():
        monkeypatch.setitem(kernel.__dict__, "is_there", False)
    without = training(runs, optimizer=SGD(0.9)).train()
    np.testing.assert_allclose(with_them.mix_loss, without.mix_loss, rtol=1e-5)
