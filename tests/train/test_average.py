"""Averaged weights: the mean that is written down, and a training that does not notice."""

import numpy as np
import pytest
import torch
from tests.train.test_engine import assert_identical

import overmix
from overmix.errors import ConfigError
from overmix.switch import AutoSwitch
from overmix.train import SGD, DecidingTraining


def weights(own):
    return [p.detach().clone() for p in own.model.parameters.values()]


@pytest.mark.parametrize(("model", "execution"), [("mlp", "stacked"), ("batch_norm", "stacked"), ("mlp", "looped")])
def test_what_is_scored_is_the_average_and_the_training_does_not_notice(replica, training, models, model, execution):
    runs = [replica(seed, schedule=overmix.off_at(2)) for seed in range(3)]
    plain, own = (training(runs, models[model], execution, **more) for more in ({}, {"average": 0.5}))
    expected, seen = weights(plain), []

    def by_hand(now):
        step = len(seen)
        keep = min(0.5, (1 + step) / (10 + step))
        for mean, weight in zip(expected, weights(now), strict=True):
            mean.mul_(keep).add_(weight, alpha=1 - keep)
        seen.append(now.step)

    plain.train(after_step=by_hand)
    found = own.train()
    assert len(seen) == 12
    for one, other in zip(weights(own), weights(plain), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    for one, other in zip(own.average.values, expected, strict=False):
        torch.testing.assert_close(one, other)
    np.testing.assert_array_equal(found.mix_loss, plain.result().mix_loss)
    with own.average.in_place():
        metrics, _ = own.evaluator(own.model)
    np.testing.assert_array_equal(metrics[3].numpy(), found.metrics["test_ece"][:, -1])
    assert not np.array_equal(found.metrics["test_brier"], plain.result().metrics["test_brier"])


def test_it_goes_on_from_any_step_bit_for_bit_and_probes_leave_no_trace(replica, training, models):
    policy = AutoSwitch(shares=(0.25, 0.5, 0.75), tail=0.25)
    runs = [replica(seed) for seed in range(3)]
    plain = training(runs, models["mlp"])

    def deciding():
        return DecidingTraining(
            policy,
            runs,
            factory=models["mlp"],
            data=plain.data,
            normalization=plain.normalization,
            optimizer=SGD(momentum=0.9),
            epochs=4,
            batch_size=12,
            execution="stacked",
            average=0.9,
        )

    states = []
    whole = deciding().train(after_step=lambda own: states.append(own.state_dict()))
    for state in states[::4]:
        again = deciding()
        again.load_state_dict(state)
        assert_identical(again.train(), whole)
    told = [replica(seed, schedule=overmix.off_at(int(at))) for seed, at in enumerate(whole.switch_at)]
    assert_identical(whole, training(told, models["mlp"], average=0.9).train())


def test_a_decay_that_averages_nothing_or_forever_is_refused(replica, training):
    for decay in (0.0, 1.0):
        with pytest.raises(ConfigError, match=r"^train.average = .*: use a share of the old average"):
            training([replica(0)], average=decay)
