"""Snapshots hold all that a training draws from and changes."""

import io
import random

import numpy as np
import pytest
import torch

from overmix.switch.generators import generator_states, set_generator_states
from overmix.switch.registered import Registered
from overmix.switch.snapshot import restore, take


def draws():
    return torch.rand(2).tolist(), np.random.rand(2).tolist(), random.random(), random.gauss(0, 1)  # noqa: NPY002


def through_a_file(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("stored", [lambda states: states, through_a_file], ids=["memory", "file"])
def test_global_generators_go_on_where_they_were(stored):
    random.gauss(0, 1)  # half a pair of Gaussian numbers is left over, which belongs to the state
    states = stored(generator_states())
    first = draws()
    assert draws() != first
    set_generator_states(states)
    assert draws() == first


def registered():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3), torch.nn.Dropout())
    optimizer = torch.optim.AdamW(model.parameters())
    return Registered({"model": model, "optimizer": optimizer, "order": torch.Generator().manual_seed(3)})


def train(held, steps=1):
    model, optimizer = held.objects["model"], held.objects["optimizer"]
    for _ in range(steps):
        model(torch.randn(8, 3, generator=held.objects["order"])).square().sum().backward()
        optimizer.step()


def weights(held):
    return [value.clone() for value in held.objects["model"].state_dict().values()]


@pytest.mark.parametrize("stored", [lambda snapshot: snapshot, through_a_file], ids=["memory", "file"])
def test_a_snapshot_can_be_gone_back_to_again_and_again(stored):
    held = registered()
    train(held)
    snapshot = stored(take(held))
    train(held, 2)
    first = weights(held)
    for _ in range(2):
        restore(held, snapshot)
        train(held, 2)
        assert all(torch.equal(a, b) for a, b in zip(first, weights(held), strict=True))


def test_gradients_that_accumulate_and_modes_come_back():
    held = registered()
    model = held.objects["model"]
    train(held)
    snapshot, gradient = take(held), model[0].weight.grad.clone()
    model[1].eval()
    train(held)
    pointer = model[0].weight.grad
    restore(held, snapshot)
    assert torch.equal(model[0].weight.grad, gradient)
    assert model[0].weight.grad is pointer
    assert model[1].training
    model.zero_grad()
    restore(held, snapshot)
    assert torch.equal(model[0].weight.grad, gradient)


def test_gradients_that_were_not_there_go():
    held = registered()
    snapshot = take(held)
    train(held)
    restore(held, snapshot)
    assert all(p.grad is None for p in held.objects["model"].parameters())


def test_another_rank_keeps_its_own_generators():
    held = registered()
    snapshot = take(held, rank=0)
    before = torch.get_rng_state()
    torch.rand(1)
    moved = torch.get_rng_state()
    restore(held, snapshot, rank=1)
    assert torch.equal(torch.get_rng_state(), moved)
    restore(held, snapshot, rank=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_diverged_training_is_set_back_like_any_other():
    held = registered()
    with torch.no_grad():
        held.objects["model"][0].weight.fill_(torch.nan)
    restore(held, take(held))
