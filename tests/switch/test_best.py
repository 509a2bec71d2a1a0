"""A run that ends with its best weights since the switch: exact in every kind of training, only where asked for."""

import contextlib
from dataclasses import dataclass

import pytest
import torch
from tests.switch.situations import EPOCHS, SITUATIONS, left_by

import overmix
from overmix.errors import ConfigError
from overmix.switch import AutoSwitch, find_switch
from overmix.switch.machine import Machine

SCORES = [0.9, 0.8, 0.7, 0.4, 0.5, 0.6]
"""Lowest after four epochs; the switch is after two."""


@pytest.fixture
def watching(loops):
    """A policy that goes back from epoch 3 to 2, and watches from there on."""

    @dataclass(frozen=True)
    class Watching(loops.Scripted):
        best: bool = True

    return Watching(probes=(2,), tail=1, decide_at=3, switch_at=2)


def told(training, scores):
    """Let a training observe scores that are known beforehand; those of probes as well."""

    def validate(epoch):
        epoch.observe(scores=torch.full((4,), scores[epoch.index]))

    training.validate = validate
    return training


def after(loops, epochs, switch=None):
    """All that a later epoch depends on after so many epochs of the run that was switched off after two."""
    training = told(loops.Training(), SCORES)
    for epoch in loops.start(training, switch or overmix.off_at(2)):
        training.body(epoch)
        if epoch.index + 1 == epochs:
            return training.everything()


@pytest.mark.parametrize(
    ("scores", "end", "note"),
    [
        (SCORES, 4, "Plain training over-trained: it ends with its best weights, after 4 epochs"),
        (
            [0.9, 0.8, 0.7, 0.5, 0.5, 0.6],
            4,
            "Plain training over-trained: it ends with its best weights, after 4 epochs",
        ),
        ([0.9, 0.1, 0.7, 0.6, 0.5, 0.4], 6, ""),  # lowest before the switch, which counts for nothing
        (
            [0.9, 0.8, 0.7, 0.6, 0.5, float("nan")],
            5,
            "Plain training over-trained: it ends with its best weights, after 5",
        ),
    ],
)
def test_it_ends_with_the_first_of_the_lowest_scores_since_the_switch(loops, watching, scores, end, note):
    training = told(loops.Training(), scores)
    run = loops.start(training, watching)
    training.drive(run)
    assert loops.same(training.everything(), after(loops, end))
    assert run.decision.note.startswith(note)
    assert bool(run.decision.note) == bool(note)
    assert [seen.epoch for seen in run.history] == list(range(6))
    assert (run.decision.switch_at, list(run)) == (2, [])


@pytest.mark.parametrize("every", [1, 4, 5])
def test_a_run_that_resumes_goes_on_watching(loops, watching, every):
    training = told(loops.Training(), SCORES)
    run = loops.start(training, watching)
    for epoch in run:
        training.body(epoch)
        if epoch.kind == "final" and epoch.index + 1 >= every:
            break
    saved = training.checkpoint(run.state_dict())
    resumed = told(loops.Training(), SCORES)
    again = loops.start(resumed, watching)
    resumed.resume(saved, again)
    resumed.drive(again)
    assert loops.same(resumed.everything(), after(loops, 4))
    assert again.decision.note == "Plain training over-trained: it ends with its best weights, after 4 epochs"


def test_without_being_asked_it_keeps_its_last_weights(loops):
    assert AutoSwitch() == AutoSwitch(best=False)
    assert "best" not in repr(AutoSwitch())
    assert "best=True" in repr(AutoSwitch(best=True))
    training = told(loops.Training(), SCORES)
    training.drive(loops.start(training, loops.Scripted(probes=(2,), tail=1, decide_at=3, switch_at=2)))
    assert loops.same(training.everything(), after(loops, 6))


@pytest.mark.parametrize("name", [name for name, kind in SITUATIONS.items() if kind.refused is None and kind.goes_back])
def test_the_best_state_comes_back_to_the_byte_in_every_kind_of_training(loops, name, monkeypatch):
    """The kinds that going back is held to; which epoch was the best is told here."""
    kind, best = SITUATIONS[name], EPOCHS - 1
    monkeypatch.setattr(
        Machine, "best", lambda self, decision, seen: min(best, len(seen)) if decision.switch_at is not None else None
    )

    @dataclass(frozen=True)
    class Watching(loops.Scripted):
        best: bool = True

    def left(switch, last):
        with getattr(kind, "around", contextlib.nullcontext)():
            training = kind()
            run = overmix.Epochs(
                EPOCHS,
                mix=overmix.Mixup(),
                switch=switch,
                seed=0,
                state=training.state(),
                steps_per_epoch=training.told,
            )
            for epoch in run:
                training.body(epoch)
                if epoch.index + 1 == last:
                    break
            return left_by(training)

    ended, expected = left(Watching(decide_at=1, switch_at=1), None), left(overmix.off_at(1), best)
    assert [path for path in ended.keys() | expected.keys() if ended.get(path) != expected.get(path)] == []


def test_studies_and_rescues_refuse_it():
    from overmix.study import parse_study

    with pytest.raises(
        ConfigError, match=r"schedule.auto.best = True: leave it out: a study shows the best checkpoints"
    ):
        parse_study({"data": {"val_size": 50}, "compare": [{"schedule": {"auto": {"best": True}}}]})
    with pytest.raises(ConfigError, match=r"^policy.best = True: leave it out"):
        find_switch(print, {1: 1, 2: 2}, 9, AutoSwitch(best=True))
    with pytest.raises(ConfigError, match=r"^best = 1: use True or False"):
        AutoSwitch(best=1)
