"""The decision machine: which moves follow which answers."""

from dataclasses import dataclass

import numpy as np
import pytest

from overmix.errors import ConfigError
from overmix.switch import Decision, History, Policy
from overmix.switch.machine import Drop, GoBack, GoOn, Keep, Machine, Standing, StartProbe
from overmix.switch.policy import Probe


@dataclass(frozen=True)
class Answers(Policy):
    """Gives one answer, and probes at 2 and 4."""

    answer: object = Decision(None, "go on")

    def probe_epochs(self, epochs):
        return (2, 4)

    def tail_epochs(self, epochs):
        return 3

    def decide(self, history):
        return self.answer


def undecided(keep=None):
    return Decision(None, "go on", keep)


@pytest.mark.parametrize(
    ("kept", "answer", "done", "probed", "moves", "then_kept"),
    [
        (None, undecided(), 1, (), (GoOn(),), None),
        (None, undecided(), 2, (), (StartProbe(3),), None),
        (None, undecided(), 2, (2,), (GoOn(),), None),
        (None, undecided(keep=2), 2, (), (Keep(), StartProbe(3)), 2),
        (2, undecided(keep=2), 2, (2,), (GoOn(),), 2),
        (2, undecided(keep=2), 4, (2,), (StartProbe(3),), 2),
        (2, undecided(keep=4), 4, (2, 4), (Keep(), GoOn()), 4),
        (2, undecided(), 3, (2,), (Drop(), GoOn()), None),
        (2, Decision(2, "back"), 5, (2,), (GoBack(2),), None),
        (2, Decision(5, "here"), 5, (2,), (Drop(), GoOn()), None),
        (None, Decision(8, "later"), 2, (), (GoOn(),), None),
        (None, Decision(np.int64(0), "none"), 0, (), (GoOn(),), None),
    ],
)
def test_what_follows_an_answer(kept, answer, done, probed, moves, then_kept):
    history = History(8, done, probes=tuple(Probe(epoch, 3, (0.1,)) for epoch in probed))
    standing, made = Machine(Answers(answer), 8).ask(Standing(kept=kept), history)
    assert made == moves
    assert standing.kept == then_kept
    assert standing.decision.switch_at == answer.switch_at
    assert type(standing.decision.switch_at) in (int, type(None))


def test_what_is_decided_is_not_asked_again():
    decided = Standing(Decision(3, "enough"))
    assert Machine(Answers("would be refused"), 8).ask(decided, History(8, 5)) == (decided, (GoOn(),))
    assert [decided.mixes(epoch) for epoch in (2, 3)] == [True, False]


@pytest.mark.parametrize(
    ("kept", "answer", "message"),
    [
        (None, 3, r"^switch = 3: decide\(history\) returns an overmix.switch.Decision"),
        (None, Decision(9, ""), r"^switch_at = 9: a policy decides for None or an epoch in \[0, 8\]"),
        (None, Decision(2.0, ""), r"^switch_at = 2.0: "),
        (None, Decision(2, ""), r"^switch_at = 2: a policy that goes back must name the epoch as keep"),
        (3, Decision(2, ""), r"^switch_at = 2: "),
        (3, undecided(keep=2), r"^keep = 2: that state is gone"),
        (None, undecided(keep=7), r"^keep = 7: that state is gone"),
    ],
)
def test_answers_that_cannot_be_followed_are_refused(kept, answer, message):
    with pytest.raises(ConfigError, match=message):
        Machine(Answers(answer), 8).ask(Standing(kept=kept), History(8, 5))
