"""Probes: a look at where plain training would end, which leaves no trace."""

import numpy as np
import pytest
import torch
from tests.train.test_engine import assert_identical

import overmix
from overmix.recipes import ManifoldMixup
from overmix.switch import tail_factor


@pytest.mark.parametrize("execution", ["stacked", "looped"])
@pytest.mark.parametrize("name", ["mlp", "batch_norm", "dropout", "own_randomness"])
def test_a_training_with_probes_is_the_one_without_bit_for_bit(replica, training, models, name, execution):
    if name == "own_randomness" and execution == "stacked":
        pytest.skip("is always looped over")
    runs = [replica(0), replica(1, schedule=overmix.off_at(2))]
    plain = training(runs, models[name], execution).train()
    probed = training(runs, models[name], execution)
    probed.probe(tail=2)

    def look(own):
        if own.step == 0 and own.epoch < 4:
            own.probe(tail=1)

    assert_identical(probed.train(after_step=look), plain)


def test_a_probe_is_an_annealed_tail_of_plain_training(replica, training, models):
    run = replica(0)
    own = training([run], models["mlp"])
    found = own.probe(tail=2)
    # The same by hand: an ERM twin whose learning rate falls linearly.
    twin = training([replica(0, recipe=overmix.NoMixup())], models["mlp"])
    for number in range(6):
        plan = twin.planner.epoch(number // 3)
        twin.take_step(plan, number % 3, torch.tensor([0.05 * tail_factor(number, 6)]), number)
    x = (own.data.x[run.val_index].float() - own.normalization.mean[0]) / own.normalization.std[0]
    with torch.no_grad():
        p = twin.model(x.unsqueeze(0))[0].softmax(-1)
    y = torch.nn.functional.one_hot(own.data.y[run.val_index], 3)
    np.testing.assert_allclose(found[0], (p - y).square().sum(-1).numpy(), rtol=1e-5)


def test_a_longer_tail_learns_more_and_mixing_inside_is_off(replica, training, models):
    own = training([replica(seed, recipe=ManifoldMixup(layers=("1",))) for seed in range(3)], models["mlp"])
    plain = training([replica(seed) for seed in range(3)], models["mlp"])
    np.testing.assert_array_equal(own.probe(tail=1), plain.probe(tail=1))
    assert own.probe(tail=4).mean() < own.probe(tail=1).mean()
