"""The gate says in every process what the epoch says, and what cannot follow it is refused."""

import copy
import multiprocessing
import pickle

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import overmix
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.switch import Gate, LinearDecay, OffAtStep, OnFromStep, Phases

N, BATCH = 12, 4


class Flags(Dataset):
    """Samples that are what the gate said when they were made."""

    def __init__(self, gate):
        self.gate = gate

    def __len__(self):
        return N

    def __getitem__(self, index):
        return torch.zeros(3), self.gate.on


def run_of(switch, epochs=4, **settings):
    model = torch.nn.Linear(3, 2)
    state = {"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1)}
    return overmix.Epochs(epochs, switch=switch, state=state, steps_per_epoch=N // BATCH, **settings)


def seen(run, loader):
    """Train, and return for each epoch its kind, and what its samples saw, which must be one thing."""
    answers = []
    for epoch in run:
        flags = torch.cat([flag for _, flag in loader])
        epoch.check(flags)
        assert flags.unique().numel() == 1
        answers.append((epoch.kind, bool(flags[0])))
        epoch.observe(scores=torch.zeros(3))
    return answers


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_probes_and_going_back_reach_persistent_workers(loops, workers):
    run = run_of(loops.Scripted(probes=(0, 2), tail=1, decide_at=3, switch_at=1))
    context = "fork" if workers else None
    loader = DataLoader(
        Flags(run.gate), BATCH, num_workers=workers, persistent_workers=workers > 0, multiprocessing_context=context
    )
    train, probe, final = ("train", True), ("probe", False), ("final", False)
    assert seen(run, loader) == [probe, train, train, probe, train, final, final, final]


@pytest.mark.slow
def test_a_spawned_worker_that_lives_through_epochs_follows():
    run = run_of(overmix.off_at(2))
    data = DataLoader(Flags(run.gate), BATCH, num_workers=1, persistent_workers=True, multiprocessing_context="spawn")
    assert [on for _, on in seen(run, data)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("switch", "expected"),
    [(overmix.off_at(0.5), "1100"), (overmix.always(), "1111"), (overmix.never(), "0000")],
)
def test_schedules(switch, expected):
    run = run_of(switch)
    assert "".join(str(int(on)) for _, on in seen(run, DataLoader(Flags(run.gate), BATCH))) == expected
    assert [look.mixing for look in run.history] == [float(on) for on in expected]  # the log of an epoch without mix


def test_a_schedule_of_shares_and_phases_are_settled_for_whole_epochs():
    run = run_of(LinearDecay(), epochs=40)
    answers = [on for _, on in seen(run, DataLoader(Flags(run.gate), BATCH))]
    assert answers[0]
    assert 10 < sum(answers) < 30
    phases = run_of(None, mix=Phases([(0, overmix.Mixup(alpha=1.0)), (3, None)]))
    assert [on for _, on in seen(phases, DataLoader(Flags(phases.gate), BATCH))] == [True, True, True, False]


def test_auto_switch():
    run = run_of(overmix.AutoSwitch(), epochs=12)
    answers = seen(run, DataLoader(Flags(run.gate), BATCH))
    assert {kind for kind, _ in answers} >= {"train", "probe"}
    assert all(on == (kind == "train") for kind, on in answers)


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("stop", [1, 2])
def test_a_resumed_run(inside, stop):
    state = None
    run = run_of(overmix.off_at(2))
    for epoch in run:
        if epoch.index == stop:
            state = epoch.state_dict() if inside else run.state_dict()
            break
    resumed = run_of(overmix.off_at(2))
    data = DataLoader(Flags(resumed.gate), BATCH)
    resumed.load_state_dict(state)
    assert [on for _, on in seen(resumed, data)] == [index < 2 for index in range(stop + (not inside), 4)]


def test_a_gate_that_is_first_asked_for_inside_of_an_epoch():
    run = run_of(overmix.off_at(1))
    assert [(epoch.index, run.gate.on) for epoch in run] == [(0, True), (1, False), (2, False), (3, False)]


def test_it_follows_a_loop_that_counts_by_itself(loops):
    run = run_of(loops.Scripted(probes=(1,), tail=1, decide_at=2, switch_at=1))
    nested, own, gate = [], [], run.gate

    def train(epoch):
        nested.append((epoch.kind, gate.on))
        epoch.observe(scores=torch.zeros(3))

    for number in range(4):
        run.before(number, train)
        own.append(gate.on)
    run.before(4, train)
    assert nested == [("probe", False), ("final", False)]  # the epoch that is due again
    assert own == [True, True, False, False]


def test_samples_that_were_fetched_ahead_are_found_out():
    run = run_of(overmix.off_at(1), epochs=2)
    first = run.next_epoch()
    batches = iter(DataLoader(Flags(run.gate), BATCH))
    _, now = next(batches)
    _, ahead = next(batches)
    first.check(now)
    second = run.next_epoch()
    with pytest.raises(DataError, match="epoch 1: 4 of 4 samples were made with the gate on, it is off: make the"):
        second.check(ahead)
    _, asked = next(batches)  # by the time that it is asked
    second.check(asked)


def test_samples_may_be_checked_as_a_list():
    run = run_of(overmix.off_at(1))
    epoch = next(iter(run))
    epoch.check([True, True])
    epoch.check([])
    with pytest.raises(DataError, match="1 of 2 samples were made with the gate off, it is on"):
        epoch.check([True, False])


@pytest.mark.parametrize("switch", [OffAtStep(2), OnFromStep(2)])
def test_schedules_in_steps_are_refused_before_the_training(switch):
    with pytest.raises(ConfigError, match="steps may end inside an epoch"):
        _ = run_of(switch).gate


def test_before_the_first_epoch_there_is_no_answer():
    with pytest.raises(OvermixError, match="gate: its run has not begun in this process"):
        _ = run_of(overmix.off_at(2)).gate.on


@pytest.mark.parametrize("by", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copies_are_refused(by):
    data = Flags(Gate())
    with pytest.raises(ConfigError, match="gate = 'copied or pickled': a copy would not follow the run"):
        by(data.gate if by is copy.copy else data)


@pytest.mark.parametrize("epochs", [4, 12])  # too few for a probe, and enough
def test_a_run_without_a_recipe_does_not_speak_of_mixup(epochs):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = overmix.Epochs(epochs, switch=overmix.AutoSwitch(), state={"model": model, "optimizer": optimizer})
    assert str(run.decision).startswith("Open, augmentation stays on: ")
    for epoch in run:
        optimizer.step()
        epoch.observe(scores=torch.rand(8))
    assert "ugmentation" in run.decision.headline
    assert "Mixup" not in str(run.decision)


def _of_a_rank(gate, on, answers):
    gate.set(on)
    answers.put((on, gate.on))


def test_a_rank_that_is_forked_with_its_run_writes_for_itself():
    gate = Gate()
    gate.set(True)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    ranks = [context.Process(target=_of_a_rank, args=(gate, on, answers)) for on in (True, False)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert sorted(answers.get() for _ in ranks) == [(False, False), (True, True)]
    assert gate.on
