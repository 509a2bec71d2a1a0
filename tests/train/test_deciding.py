"""Stacks whose replicas decide by themselves: what comes out is the run that was decided on."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tests.train.test_engine import assert_identical

import overmix
from overmix.errors import ConfigError
from overmix.switch import AutoSwitch, Decision
from overmix.train import SGD, DecidingTraining


@dataclass(frozen=True)
class ByTheSamples:
    """Decides after some epochs to go back to an epoch that depends on what the held-out samples said."""

    at: int = 3
    probes: tuple[int, ...] = (0, 1, 2)
    never: bool = False

    def probe_epochs(self, epochs):
        return self.probes

    def tail_epochs(self, epochs):
        return 1

    def decide(self, history):
        assert all(probe.epoch <= history.done for probe in history.probes)
        assert all(seen.epoch < history.done for seen in history.observations)
        wanted = 1 + int(1000 * history.probes[0].score) % 3 if history.probes else self.at
        if self.never or history.done < self.at:
            return Decision(None, "not yet", keep=wanted if history.done >= wanted else None)
        return Decision(wanted, "by the samples")


def deciding(training, runs, policy, **overrides):
    plain = training(runs, **overrides)
    own = DecidingTraining(
        policy,
        runs,
        factory=overrides.get("factory", _mlp),
        data=plain.data,
        normalization=plain.normalization,
        optimizer=SGD(momentum=0.9),
        epochs=plain.epochs,
        batch_size=12,
        execution=overrides.get("execution", "stacked"),
    )
    return own


def _mlp():
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


@pytest.mark.parametrize("execution", ["stacked", "looped"])
def test_each_replica_ends_as_the_run_that_was_switched_there(replica, training, execution):
    runs = [replica(seed) for seed in range(5)]
    own = deciding(training, runs, ByTheSamples(), execution=execution)
    found = own.train()
    assert len(set(found.switch_at.tolist())) > 1
    fixed = [replica(seed, schedule=overmix.off_at(int(at))) for seed, at in enumerate(found.switch_at)]
    assert_identical(found, training(fixed, execution=execution).train())


def test_the_cost_is_that_of_a_replica_alone(replica, training):
    found = deciding(training, [replica(seed) for seed in range(3)], ByTheSamples()).train()
    # Three epochs until the decision, three tails of one epoch, and the rest from the switch.
    np.testing.assert_allclose(found.cost, (3 + 3 + 4 - found.switch_at) / 4)


def test_who_never_decides_mixes_to_the_end(replica, training):
    runs = [replica(0), replica(1)]
    found = deciding(training, runs, ByTheSamples(never=True)).train()
    assert found.switch_at.tolist() == [4, 4]
    assert_identical(found, training(runs).train())
    assert deciding(training, runs, ByTheSamples(probes=(), never=True)).train().cost.tolist() == [1, 1]


@pytest.mark.parametrize("policy", [ByTheSamples(), AutoSwitch(shares=(0.25, 0.5, 0.75), tail=0.25)])
def test_it_goes_on_from_any_step_bit_for_bit(replica, training, policy):
    runs = [replica(seed) for seed in range(4)]
    states = []
    whole = deciding(training, runs, policy).train(after_step=lambda own: states.append(own.state_dict()))
    for state in states[::2]:
        again = deciding(training, runs, policy)
        again.load_state_dict(state)
        found = again.train()
        assert_identical(found, whole)
        assert found.switch_at.tolist() == whole.switch_at.tolist()
        assert found.cost.tolist() == whole.cost.tolist()


def test_without_held_out_samples_nothing_can_be_decided(replica, training):
    with pytest.raises(ConfigError, match=r"^data.val_size = 0: hold out samples"):
        deciding(training, [replica(0, val_index=np.arange(0))], ByTheSamples())
