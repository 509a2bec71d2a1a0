"""Loops that count by themselves, as frameworks do, driven by ``before``: to the bit the plain loop over ``Epochs``."""

import hashlib
import io

import pytest
import torch

import overmix
from overmix.errors import ConfigError
from overmix.switch import AutoSwitch

EPOCHS = 12


def digest(training):
    """One number for weights, buffers, optimizer, scheduler and generator."""
    file = io.BytesIO()
    for name, part in training.everything().items():
        for leaf in torch.utils._pytree.tree_leaves(part):
            file.write(name.encode())
            file.write(leaf.numpy().tobytes() if isinstance(leaf, torch.Tensor) else repr(leaf).encode())
    return hashlib.sha256(file.getvalue()).hexdigest()


class EpochTrainer:
    """Counts epochs, and calls callbacks; its counter never goes back."""

    def __init__(self, training, callback, start=0):
        self.training, self.callback, self.epoch = training, callback, start
        self.counted = []

    def fit(self, stop=None):
        while self.epoch < EPOCHS:
            self.callback.on_epoch_start(self)
            self.train_epoch()
            self.validate()
            self.counted.append(self.epoch)
            self.epoch += 1
            if self.epoch == stop:
                return self
        self.callback.on_fit_end(self)
        return self

    def train_epoch(self):
        self.training.model.train()
        for x, y in self.training.batches(self.callback.epoch):
            self.training.step(self.callback.epoch, x, y)

    def validate(self):
        if self.callback.epoch.scored:
            self.training.validate(self.callback.epoch)


class Callback:
    """What an integration writes."""

    def __init__(self, run):
        self.run, self.nested = run, []

    def on_epoch_start(self, trainer):
        def train(epoch):
            self.epoch = epoch
            self.nested.append((epoch.kind, epoch.index))
            trainer.train_epoch()
            trainer.validate()

        self.epoch = self.run.before(trainer.epoch, train)

    on_fit_end = on_epoch_start


class StepTrainer:
    """Counts steps, validates every so many, saves after any step, also between the last one and the validation."""

    def __init__(self, training, run, steps):
        self.training, self.run, self.steps = training, run, steps
        self.at, self.epoch, self.saves = 0, None, []

    def fit(self):
        while self.at < EPOCHS * self.steps:
            if self.epoch is None:
                self.epoch = self.run.before(self.at // self.steps, self.train)
            self.training.model.train()
            self.training.step(self.epoch, *self.batch(self.at % self.steps))
            self.at += 1
            over = self.at % self.steps == 0
            state = {"at": self.at, "run": self.epoch.state_dict(trained=over)}
            self.saves.append(self.training.checkpoint(state))
            if over:
                self.training.validate(self.epoch)
                self.epoch = None
        self.run.before(EPOCHS, self.train)
        return self

    def train(self, epoch):
        self.epoch = epoch
        self.training.model.train()
        for step in range(epoch.step, self.steps if not epoch.trained else 0):
            self.training.step(epoch, *self.batch(step))
        if epoch.scored:
            self.training.validate(epoch)
        self.epoch = None

    def batch(self, step):
        order = torch.randperm(24, generator=torch.Generator().manual_seed(self.epoch.index))
        return self.training.data[order[step * 8 : (step + 1) * 8]]

    def resume(self, file):
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        self.at = saved["run"]["at"]
        for name, part in self.training.state.items():
            part.load_state_dict(saved[name])
        self.run.load_state_dict(saved["run"]["run"])
        torch.set_rng_state(saved["torch"])
        return self


def switches(loops):
    return {
        "off_at": overmix.off_at(0.5),
        "back": loops.Scripted(probes=(2, 5), tail=2, decide_at=7, switch_at=4),
        "auto": AutoSwitch(shares=(0.1, 0.2, 0.5), tail=0.1),
    }


NAMES = pytest.mark.parametrize("name", ["off_at", "back", "auto"])


def plain(loops, name, order="global"):
    training = loops.Training(epochs=EPOCHS, order=order)
    run = loops.start(training, switches(loops)[name], epochs=EPOCHS)
    training.drive(run)
    return training, run


def same_run(one, other):
    return (one.decision, one.spent, one.history, one.steps) == (
        other.decision,
        other.spent,
        other.history,
        other.steps,
    )


@NAMES
def test_a_trainer_that_counts_epochs(loops, name):
    expected, expected_run = plain(loops, name)
    training = loops.Training(epochs=EPOCHS)
    run = loops.start(training, switches(loops)[name], epochs=EPOCHS)
    callback = Callback(run)
    trainer = EpochTrainer(training, callback).fit()
    assert digest(training) == digest(expected)
    assert same_run(run, expected_run)
    assert trainer.counted == list(range(EPOCHS))
    assert training.lrs == expected.lrs
    if name == "back":
        probes = [("probe", 2), ("probe", 3), ("probe", 5), ("probe", 6)]
        assert callback.nested == [*probes, ("final", 4), ("final", 5), ("final", 6)]


@pytest.mark.parametrize("stop", [2, 4, 7, 9])
def test_a_trainer_that_counts_epochs_resumes_between_them(loops, stop):
    expected, expected_run = plain(loops, "back")
    first = loops.Training(epochs=EPOCHS)
    run = loops.start(first, switches(loops)["back"], epochs=EPOCHS)
    EpochTrainer(first, Callback(run)).fit(stop)
    file = first.checkpoint(run.state_dict())
    second = loops.Training(epochs=EPOCHS)
    resumed = loops.start(second, switches(loops)["back"], epochs=EPOCHS)
    second.resume(file, resumed)
    EpochTrainer(second, Callback(resumed), start=stop).fit()
    assert digest(second) == digest(expected)
    assert same_run(resumed, expected_run)


@pytest.mark.parametrize(
    ("name", "every"), [("off_at", 13), ("back", 5), ("auto", 13), pytest.param("back", 1, marks=pytest.mark.slow)]
)
def test_a_trainer_that_counts_steps_and_resumes_anywhere(loops, name, every):
    expected, expected_run = plain(loops, name, order="indexed")

    def trainer():
        training = loops.Training(epochs=EPOCHS, order="indexed")
        run = loops.start(training, switches(loops)[name], epochs=EPOCHS)
        return StepTrainer(training, run, loops.STEPS)

    whole = trainer().fit()
    assert digest(whole.training) == digest(expected)
    assert same_run(whole.run, expected_run)
    for file in whole.saves[::every]:
        resumed = trainer().resume(file).fit()
        assert digest(resumed.training) == digest(expected)
        assert same_run(resumed.run, expected_run)


def test_an_epoch_says_whether_it_is_nested_in_a_boundary(loops):
    def flags(run, training):
        seen = []

        def train(epoch):
            seen.append((epoch.kind, epoch.nested))
            training.body(epoch)

        for number in range(6):
            train(run.before(number, train))
        run.before(6, train)
        return seen

    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1,), tail=1, decide_at=3, switch_at=2))
    own, nested = ("train", False), ("probe", True)
    assert flags(run, training) == [own, nested, own, own, ("final", True), *[("final", False)] * 3]
    training = loops.Training()
    in_a_loop = loops.start(training, loops.Scripted(probes=(1,), tail=1))
    assert not any(epoch.nested for epoch in in_a_loop if training.body(epoch) is None)


@pytest.mark.parametrize("index", [1, 3, 7, -1, True])
def test_a_loop_that_counts_otherwise_than_the_run_is_refused(loops, index):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1,), tail=1))
    for number in range(2):
        training.body(run.before(number, training.body))
    with pytest.raises(ConfigError, match=rf"^index = {index}: the loop counts {index} epochs, the run 2 of 6: call"):
        run.before(index, training.body)
    assert run.before(2, training.body).index == 2


def test_before_within_train_is_refused(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(0,), tail=1))
    with pytest.raises(ConfigError, match=r"^index = 0: .* outside of train"):
        run.before(0, lambda epoch: run.before(0, training.body))


def test_a_loop_that_never_ends_its_run_is_told_so(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1,), tail=1, decide_at=6, switch_at=3))
    for number in range(6):
        training.body(run.before(number, training.body))
    note = "The last epoch is not closed: end the loop with run.before(6, train)"
    assert str(run.decision).endswith(f"\n{note}.")
    assert run.decision.to_dict()["note"] == note
    assert run.before(6, training.body) is None
    assert (run.decision.note, run.decision.switch_at) == ("", 3)


def test_a_framework_that_fails_inside_a_probe_has_its_training_back(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1,), tail=2))
    training.body(run.before(0, training.body))
    before = training.everything()["model"]
    before = {name: value.clone() for name, value in before.items()}

    def fail(epoch):
        training.body(epoch)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.before(1, fail)
    assert loops.same(before, dict(training.model.state_dict()))
    kinds = []
    training.body(run.before(1, lambda epoch: (kinds.append(epoch.kind), training.body(epoch))))
    assert kinds == ["probe", "probe"]


@pytest.mark.parametrize("batches", [1, 2])
def test_an_epoch_that_a_framework_resumes_may_be_shorter(loops, batches):
    training = loops.Training(order="indexed")
    policy = loops.Scripted(probes=(0, 2), tail=1)
    run = loops.start(training, policy)
    epoch = run.before(0, training.body)
    training.step(epoch, *training.data[:8])
    file = training.checkpoint(epoch.state_dict())
    again = loops.Training(order="indexed")
    resumed = loops.start(again, policy)
    again.resume(file, resumed)
    epoch = resumed.before(0, again.body)
    for _ in range(batches):  # some frameworks do not go on where they were
        again.step(epoch, *again.data[:8])
    again.validate(epoch)
    for number in range(1, 6):
        again.body(resumed.before(number, again.body))
    assert resumed.before(6, again.body) is None
    assert [probe.epoch for probe in resumed.decision.probes] == [0, 2]


def test_what_follows_an_epoch_that_was_saved_before_its_validation_may_be_shorter(loops):
    """Some frameworks count the batches of the saved epoch towards the next one."""
    training = loops.Training(order="indexed")
    policy = loops.Scripted(probes=(0, 2), tail=1)
    epoch = loops.start(training, policy).before(0, training.body)
    for x, y in training.batches(epoch):
        training.step(epoch, x, y)
    file = training.checkpoint(epoch.state_dict(trained=True))
    again = loops.Training(order="indexed")
    resumed = loops.start(again, policy)
    again.resume(file, resumed)
    epoch = resumed.before(1, lambda due: again.validate(due) if due.trained else again.body(due))
    assert [seen.epoch for seen in resumed.history] == [0]
    again.step(epoch, *again.data[:8])
    again.validate(epoch)
    for number in range(2, 6):
        again.body(resumed.before(number, again.body))
    assert resumed.before(6, again.body) is None
    assert [probe.epoch for probe in resumed.decision.probes] == [0, 2]
