"""Training without a validation set: what comes out is the run that a part of the samples decided on."""

from dataclasses import replace

import numpy as np
import pytest
from tests.train.test_engine import assert_identical

import overmix
from overmix.switch import AutoSwitch, Decision
from overmix.train import SGD, DecidingTraining, FirstRun, RepeatedTraining

POLICY = AutoSwitch(shares=(0.1, 0.2, 0.3, 0.5, 0.7), tail=0.1)


def parts_of(runs):
    """Every replica's last quarter is held out."""
    return [replace(run, train_index=run.train_index[:30], val_index=run.train_index[30:]) for run in runs]


def settings(training, runs, models, execution="stacked"):
    plain = training(runs, models["mlp"], epochs=20, batch_size=10)
    return {
        "factory": models["mlp"],
        "data": plain.data,
        "replicas": runs,
        "normalization": plain.normalization,
        "optimizer": SGD(momentum=0.9),
        "epochs": 20,
        "batch_size": 10,
        "execution": execution,
    }


@pytest.fixture
def repeated(replica, training, models):
    def make(policy=POLICY, execution="stacked"):
        runs = [replica(seed) for seed in range(4)]
        first = FirstRun(policy, **settings(training, parts_of(runs), models, execution))
        return RepeatedTraining(first, **settings(training, runs, models, execution))

    return make


@pytest.mark.parametrize("execution", ["stacked", "looped"])
def test_it_decides_as_a_run_with_that_validation_set_and_ends_as_the_run_that_it_decided_on(
    replica, training, models, repeated, execution
):
    found = repeated(execution=execution).train()
    assert len(set(found.switch_at.tolist())) > 1
    runs = [replica(seed) for seed in range(4)]
    held = DecidingTraining(POLICY, **settings(training, parts_of(runs), models, execution))
    assert held.train().switch_at.tolist() == found.switch_at.tolist()
    told = [replica(seed, schedule=overmix.off_at(int(at))) for seed, at in enumerate(found.switch_at)]
    assert_identical(found, training(told, models["mlp"], execution, epochs=20, batch_size=10).train())
    # All epochs come anew, and have four steps where those of the first run have three.
    first = held.cost * 20 - (20 - found.switch_at)
    np.testing.assert_allclose(found.cost, 1 + first * (3 / 4) / 20)


@pytest.mark.parametrize("every", [23, pytest.param(7, marks=pytest.mark.slow)])
def test_it_goes_on_from_any_step_bit_for_bit(repeated, every):
    states = []
    whole = repeated().train(after_step=lambda own: states.append(own.state_dict()))
    assert len(states) > 20 * 4  # the second run's steps, and those of the first
    for state in states[::every]:
        again = repeated()
        again.load_state_dict(state)
        found = again.train()
        assert_identical(found, whole)
        assert found.switch_at.tolist() == whole.switch_at.tolist()
        assert found.cost.tolist() == whole.cost.tolist()


class Undecided:
    def probe_epochs(self, epochs):
        return ()

    def tail_epochs(self, epochs):
        return 1

    def decide(self, history):
        return Decision(None, "never")


def test_who_never_decides_mixes_to_the_end(replica, training, models, repeated):
    found = repeated(Undecided()).train()
    assert found.switch_at.tolist() == [20] * 4
    assert_identical(
        found, training([replica(seed) for seed in range(4)], models["mlp"], epochs=20, batch_size=10).train()
    )
