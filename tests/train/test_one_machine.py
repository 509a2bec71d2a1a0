"""One decision machine, two carriers: the loop of a user and the engine put the same questions and do the same."""

from dataclasses import dataclass, field
from functools import cache
from itertools import count

import numpy as np
import pytest
import torch

import overmix
from overmix.switch import Fit, Observation, Policy, registered_policies
from overmix.switch.by_policy import ByPolicy
from overmix.switch.machine import Machine
from overmix.switch.policies.baselines import Fixed
from overmix.switch.position import Position, Seen
from overmix.switch.registered import Registered
from overmix.switch.steps import StepCounter
from overmix.switch.tally import Tally
from overmix.train import SGD, DecidingTraining, evaluation_epochs

EPOCHS, N = 20, 30


@dataclass
class Asked(Policy):
    """A policy that writes down every question and its answer."""

    policy: Policy
    questions: list = field(default_factory=list)

    def probe_epochs(self, epochs):
        return self.policy.probe_epochs(epochs)

    def tail_epochs(self, epochs):
        return self.policy.tail_epochs(epochs)

    def decide(self, history):
        decision = self.policy.decide(history)
        self.questions.append((repr(history), decision))
        return decision


class Signals:
    """What a training shows: curves that turn somewhere, or diverge, and tails that do."""

    def __init__(self, seed):
        self.rng, self.turn = np.random.default_rng(seed), (3, 9, 30, 6)[seed]
        self.diverges = seed == 3
        self.hard = self.rng.normal(0, 0.1, N)

    def level(self, done):
        return 0.3 + 0.05 * abs(np.log((done + 1) / (self.turn + 1)))

    def looks(self, epoch):
        level, late = self.level(epoch + 1), self.diverges and epoch > 10
        brier = float("nan") if late else level
        train = Observation(epoch, 1.0, N, level, "brier", "train", max(0.0, 0.2 - 0.02 * epoch), margin=0.1 * epoch)
        return [Observation(epoch, 1.0, N, brier, "brier", "val", level, level, 0.1), train]

    def fit(self, epoch):
        return Fit(epoch, 1.0, N, 0.5 + 2 / (epoch + 1), 0.5)

    def probe(self, done):
        scores = self.level(done) + self.hard + np.random.default_rng(done).normal(0, 0.02, N)
        return torch.tensor(np.full(N, np.nan) if self.diverges and done < 6 else scores, dtype=torch.float32)


class Shown(Seen):
    """An epoch in which a loop observed the signals."""

    signals: Signals
    looked: bool

    def observations(self, *, pooled=False):
        return self.signals.looks(self.index) if self.looked else []

    def fits(self, *, pooled=False):
        return [self.signals.fit(self.index)] if self.looked else []

    def held_out(self):
        return Tally("brier", values=[self.signals.probe(self.index - self.tail)], labels=[torch.zeros(N)])


def in_a_loop(policy, signals, looked_at):
    model = torch.nn.Linear(1, 1)
    registered = Registered({"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1)})
    steps = StepCounter([])
    course = ByPolicy(Machine(policy, EPOCHS), registered, steps, steps_per_epoch=1)
    at = Position()
    for spent in count():
        at = course.settle(at)
        if at.tail is None and at.epoch == EPOCHS:
            switch_at = course.standing.decision.switch_at
            return EPOCHS if switch_at is None else switch_at, spent / EPOCHS
        steps.start(steps.done)
        course.enter(at)
        steps.before_batch()
        steps.batch()
        seen = Shown(at.epoch + (at.tail or 0), at.tail)
        seen.signals, seen.looked = signals, seen.index + 1 in looked_at
        course.close(seen)
        at = at.after()
    raise AssertionError


def in_the_engine(policy, signals, replica, training):
    plain = training([replica(0)], epochs=EPOCHS)

    class Told(DecidingTraining):
        def _looks(self, at, r):
            return signals.looks(int(self.evaluation_epochs[at]) - 1)

        def _fit(self, at, r):
            return signals.fit(int(self.evaluation_epochs[at]) - 1)

        def probe(self, tail):
            return signals.probe(self.epoch).numpy()[None]

    told = Told(
        policy,
        [replica(0, val_index=np.arange(N))],
        factory=lambda: torch.nn.Linear(6, 3),
        data=plain.data,
        normalization=plain.normalization,
        optimizer=SGD(momentum=0.9),
        epochs=EPOCHS,
        batch_size=12,
        execution="stacked",
    )
    result = told.train()
    return int(result.switch_at[0]), float(result.cost[0])


def make_policy(name):
    if name == "auto":
        return overmix.AutoSwitch(shares=(0.1, 0.2, 0.4, 0.7), tail=0.1)
    return Fixed(0.4) if name == "fixed" else registered_policies()[name]()


@cache
def looped(name, seed):
    """Return what a policy was asked in a loop, when it went off, and the cost."""
    policy = Asked(make_policy(name))
    return policy.questions, *in_a_loop(policy, Signals(seed), set(evaluation_epochs(EPOCHS).tolist()))


@pytest.mark.parametrize("name", [*registered_policies(), "fixed"])
def test_both_carriers_put_the_same_questions_and_do_the_same(replica, training, name):
    for seed in range(4):
        signals, engine, (questions, switch_at, cost) = Signals(seed), Asked(make_policy(name)), looped(name, seed)
        assert in_the_engine(engine, signals, replica, training) == (switch_at, pytest.approx(cost))
        assert engine.questions == questions
        assert questions


def test_the_signals_make_every_policy_decide_in_more_than_one_way():
    # Otherwise the test above would say little.
    decided = {name: {looped(name, seed)[1] for seed in range(4)} for name in registered_policies()}
    assert len(decided["auto"]) > 2
    assert sum(len(switches) > 1 for switches in decided.values()) >= 4
    assert set().union(*decided.values()) > {EPOCHS}
