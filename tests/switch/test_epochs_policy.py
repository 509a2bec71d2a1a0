"""A policy drives a user's own loop: probes leave no trace, and what is decided is what is trained."""

import copy
import json

import pytest
import torch

import overmix
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.switch import AutoSwitch, Decision

TRAININGS = [("sgd", "cosine"), ("sgd", "constant"), ("adamw", "cosine"), ("adamw", "constant"), ("sgd", "multi-step")]


@pytest.mark.parametrize(("optimizer", "schedule"), TRAININGS)
def test_a_run_with_probes_is_the_run_without_to_the_bit(loops, optimizer, schedule):
    plain = loops.Training(optimizer, schedule)
    plain.drive(loops.start(plain, overmix.always()))
    probing = loops.Training(optimizer, schedule)
    parameters = list(probing.model.parameters())
    run = loops.start(probing, loops.Scripted(probes=(0, 2, 3), tail=2))
    probing.drive(run)
    assert loops.same(plain.everything(), probing.everything())
    mixed = [target for kind, target in probing.targets if kind == "train"]
    for (_, expected), target in zip(plain.targets, mixed, strict=True):
        assert torch.equal(expected.lam, target.lam)
        assert torch.equal(expected.b, target.b)
    assert all(a is b for a, b in zip(parameters, probing.model.parameters(), strict=True))
    assert all(a is b for a, b in zip(parameters, probing.optimizer.param_groups[0]["params"], strict=True))
    assert [probe.epoch for probe in run.decision.probes] == [0, 2, 3]


def test_of_what_stood_beside_old_probes_no_note_is_kept(loops):
    training = loops.Training("sgd", "cosine")
    run = loops.start(training, loops.Scripted(probes=(0, 2, 3), tail=2))
    training.drive(run)
    assert len(run._registered.bystanders._notes) == 1


@pytest.mark.parametrize(("optimizer", "schedule"), TRAININGS)
def test_a_saver_that_looks_at_the_kind_saves_the_run_without_probes(loops, optimizer, schedule):
    """Not at the end only: after every epoch that belongs to the run."""

    def saved(switch):
        training, states = loops.Training(optimizer, schedule), []
        for epoch in loops.start(training, switch):
            training.body(epoch)
            if epoch.kind != "probe":
                states.append((epoch.index, copy.deepcopy(training.everything())))
        return states, training

    expected, plain = saved(overmix.always())
    found, probing = saved(loops.Scripted(probes=(0, 1, 3), tail=2))
    assert [index for index, _ in found] == [index for index, _ in expected] == list(range(6))
    assert all(loops.same(a, b) for (_, a), (_, b) in zip(expected, found, strict=True))
    # What a logger of learning rates sees between probes, too.
    kinds = [kind for kind, _ in probing.targets]
    assert [lr for lr, kind in zip(probing.lrs, kinds, strict=True) if kind == "train"] == plain.lrs


@pytest.mark.parametrize(
    ("optimizer", "schedule", "switch_at", "decide_at"),
    [
        *[(*training, 2, 4) for training in TRAININGS],
        *[("sgd", "cosine", *epochs) for epochs in [(0, 3), (3, 3), (2, 6), (5, 3)]],
    ],
)
def test_what_is_decided_is_the_run_of_that_fixed_switch(loops, optimizer, schedule, switch_at, decide_at):
    fixed = loops.Training(optimizer, schedule)
    fixed.drive(loops.start(fixed, overmix.off_at(switch_at)))
    deciding = loops.Training(optimizer, schedule)
    run = loops.start(deciding, loops.Scripted((0, 2), 1, decide_at, switch_at))
    deciding.drive(run)
    assert loops.same(fixed.everything(), deciding.everything())
    assert [seen.mixing for seen in run.history] == [1.0] * switch_at + [0.0] * (6 - switch_at)
    assert [seen.epoch for seen in run.history] == list(range(6))


def test_the_epochs_are_named_and_counted(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(0, 3), tail=2, decide_at=4, switch_at=2))
    training.drive(run)
    probes = [("probe", 0), ("probe", 1)], [("probe", 3), ("probe", 4)]
    train = [("train", 0), ("train", 1), ("train", 2)]
    final = [("final", 2), ("final", 3), ("final", 4), ("final", 5)]
    assert training.epochs == [*probes[0], *train, *probes[1], ("train", 3), *final]
    assert len(run) == 6
    assert (run.spent, run.cost) == (12, 2.0)
    assert list(run) == []


def test_no_batch_after_the_switch_is_mixed_and_every_one_before_is(loops):
    training = loops.Training()
    training.drive(loops.start(training, loops.Scripted((1,), 1, 3, 2)))
    for kind, target in training.targets:
        assert bool((target.lam == 1).all()) == (kind != "train")
        assert torch.equal(target.a, target.b) == (kind != "train")


def test_the_learning_rate_of_a_tail_falls_linearly_from_that_of_the_run(loops):
    training = loops.Training("sgd", "constant")
    training.drive(loops.start(training, loops.Scripted(probes=(1,), tail=2)))
    steps = loops.STEPS
    tail = training.lrs[steps : 3 * steps]
    assert tail == pytest.approx([0.1 * (1 - t / (2 * steps)) for t in range(2 * steps)])
    assert set(training.lrs[:steps] + training.lrs[3 * steps :]) == {0.1}


@pytest.mark.parametrize(("optimizer", "schedule"), TRAININGS)
def test_all_probes_of_a_run_have_the_same_annealed_tail(loops, optimizer, schedule):
    """Whatever the scheduler does meanwhile: as long, as many steps, and falling by the same factors."""
    probes, tail = (0, 1, 3, 5), 2
    training = loops.Training(optimizer, schedule)
    training.drive(loops.start(training, loops.Scripted(probes, tail)))
    steps, kinds = tail * loops.STEPS, [kind for kind, _ in training.targets]
    own = [lr for lr, kind in zip(training.lrs, kinds, strict=True) if kind == "train"]
    tails = [lr for lr, kind in zip(training.lrs, kinds, strict=True) if kind == "probe"]
    assert len(tails) == len(probes) * steps
    for number, at in enumerate(probes):
        begins = own[at * loops.STEPS]  # the rate that the run itself goes on with
        factors = [lr / begins for lr in tails[number * steps : (number + 1) * steps]]
        assert factors == pytest.approx([1 - t / steps for t in range(steps)])


def test_a_learning_rate_in_a_tensor_is_filled_and_set_back(loops):
    training = loops.Training("sgd", "constant")
    training.optimizer = torch.optim.AdamW(training.model.parameters(), lr=torch.tensor(0.01), foreach=False)
    run = loops.start(training, loops.Scripted(probes=(1,), tail=1), epochs=2)
    seen = []
    for epoch in run:
        training.body(epoch)
        seen.append(float(training.optimizer.param_groups[0]["lr"]))
    assert seen == pytest.approx([0.01, 0.01 / loops.STEPS, 0.01])


def test_running_statistics_of_a_tail_forget_what_was_there_before(loops):
    training = loops.Training("sgd", "constant")
    norm = training.model[1]
    for epoch in loops.start(training, loops.Scripted(probes=(1,), tail=1), epochs=2):
        training.body(epoch)
        if epoch.kind == "train" and epoch.index == 0:
            norm.running_mean.fill_(1e6)
        if epoch.kind == "probe":
            assert float(norm.running_mean.abs().max()) < 10
        if epoch.kind == "train" and epoch.index == 1:
            assert float(norm.running_mean.abs().max()) > 1e5  # set back: the run itself goes on from there
    assert norm.momentum == 0.1


def test_only_the_last_epoch_of_a_tail_is_scored(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1,), tail=3), epochs=2)
    scored = []
    for epoch in run:
        training.body(epoch)
        scored.append((epoch.kind, epoch.scored))
        if epoch.kind == "probe" and not epoch.scored:
            epoch.observe(torch.zeros(5, 3), torch.zeros(5, dtype=torch.int64))
    assert scored == [("train", True), ("probe", False), ("probe", False), ("probe", True), ("train", True)]
    assert run.decision.n == 12
    assert [seen.epoch for seen in run.history] == [0, 1]


def test_a_tail_that_diverged_is_worth_nothing(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1,), tail=1), epochs=2, steps_per_epoch=None)
    for epoch in run:
        if epoch.kind == "probe":
            epoch.mix(*training.data[:8])
            epoch.observe(torch.full((4, 3), torch.nan), torch.zeros(4, dtype=torch.int64))
        else:
            training.body(epoch)
    assert run.decision.probes[0].score == float("inf")
    assert run.decision.rows()[0].worse
    assert json.loads(json.dumps(run.decision.to_dict()))["probes"][0]["score"] is None


def test_clean_training_samples_are_observed_apart(loops):
    run = overmix.Epochs(1, mix=overmix.Mixup())
    for epoch in run:
        epoch.observe(torch.tensor([[9.0, 0.0]]), torch.tensor([0]))
        epoch.observe(torch.tensor([[9.0, 0.0]]), torch.tensor([1]), split="train")
        with pytest.raises(ConfigError, match=r"^split = 'test': use \"val\" "):
            epoch.observe(torch.zeros(1, 2), torch.tensor([0]), split="test")
    assert [(seen.split, seen.error, seen.n) for seen in run.history] == [("val", 0.0, 1), ("train", 1.0, 1)]


def drive_with_saves(loops, training, run, save_at=None):
    """Drive to the end; return a checkpoint of each place, or stop at one."""
    saves = []
    for epoch in run:
        training.epochs.append((epoch.kind, epoch.index))
        training.model.train()
        for x, y in training.batches(epoch):
            training.step(epoch, x, y)
            saves.append(training.checkpoint(epoch.state_dict()))
        training.validate(epoch)
        saves.append(training.checkpoint(run.state_dict()))
        if save_at is not None:
            break
    return saves


@pytest.mark.parametrize(
    ("optimizer", "every"), [("sgd", 3), ("adamw", 7), pytest.param("sgd", 1, marks=pytest.mark.slow)]
)
def test_a_run_saved_anywhere_goes_on_as_if_it_had_never_stopped(loops, optimizer, every):
    # Before, inside and after probes; on both sides of the switch; in an epoch and between two.
    policy = loops.Scripted(probes=(0, 2), tail=2, decide_at=3, switch_at=1)

    def make():
        training = loops.Training(optimizer, "cosine", epochs=4, order="indexed")
        return training, loops.start(training, policy, epochs=4)

    whole, run = make()
    saves = drive_with_saves(loops, whole, run)
    end, spent = whole.everything(), run.spent
    assert len(saves) == spent * (loops.STEPS + 1)
    for file in saves[::every]:
        training, resumed = make()
        training.resume(file, resumed)
        training.drive(resumed)
        assert loops.same(end, training.everything())
        assert (resumed.spent, resumed.history) == (spent, run.history)
        assert resumed.decision == run.decision


@pytest.mark.parametrize("rank", [0, 1])
def test_ranks_that_resume_inside_a_probe_from_one_file_do_not_begin_to_draw_the_same(loops, rank):
    """The snapshot of the file is rank 0's: its generators are set back there, and left alone elsewhere."""

    def begun(rank):
        training = loops.Training(order="indexed")
        run = loops.start(training, loops.Scripted(probes=(1,), tail=1), epochs=2, rank=rank)
        return training, run

    training, run = begun(0)
    for epoch in run:
        if epoch.kind == "probe":
            file = epoch.state_dict()
            break
        training.body(epoch)
    training, resumed = begun(rank)
    resumed.load_state_dict(file)
    torch.manual_seed(99)
    epochs = iter(resumed)
    training.body(next(epochs))
    own = torch.get_rng_state()
    assert next(epochs).kind == "train"
    expected = file["course"]["probing"][1]["generators"]["torch"] if rank == 0 else own
    assert torch.equal(torch.get_rng_state(), expected)
    assert not torch.equal(own, file["course"]["probing"][1]["generators"]["torch"])


def test_a_run_set_back_from_inside_a_probe_leaves_the_probe(loops):
    training = loops.Training(order="indexed")
    run = loops.start(training, loops.Scripted(probes=(1,), tail=1), epochs=2)
    first, kinds = None, []
    for epoch in run:
        training.body(epoch)
        kinds.append(epoch.kind)
        if first is None:
            first = run.state_dict()
        if kinds == ["train", "probe"]:
            run.load_state_dict(first)
            assert training.model[1].momentum == 0.1
    assert kinds == ["train", "probe", "probe", "train"]


def test_auto_switch_drives_a_loop(loops):
    training = loops.Training(epochs=20)
    run = loops.start(training, AutoSwitch(shares=(0.1, 0.2, 0.5)), epochs=20, steps_per_epoch=None)
    training.drive(run)
    outcome = run.decision
    assert outcome.answer == "switch"
    assert outcome.switch_at in (2, 4, 10)
    assert [seen.mixing for seen in run.history] == [1.0] * outcome.switch_at + [0.0] * (20 - outcome.switch_at)
    assert run.spent > 20


def test_a_run_explains_itself_at_any_time(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted((0, 2), 1, 4, 2))
    assert (run.decision.answer, run.decision.reason) == ("undecided", "nothing was seen yet")
    training.drive(run)
    text, seen = str(run.decision), run.decision.to_dict()
    assert text.startswith("Mixup off after 2 of 6 epochs: so it was told.\nSeen: 2 probes on 12 held-out samples")
    assert text.endswith("Price: 10 epochs trained, 1.67 times one run of 6.")
    assert json.loads(json.dumps(seen)) == seen
    assert (seen["answer"], seen["switch_at"], seen["n"], seen["spent"]) == ("switch", 2, 12, 10)
    assert [row["epoch"] for row in seen["probes"]] == [0, 2]
    assert [observation["epoch"] for observation in seen["observations"]] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("switch_at", "answer"), [(0, "no Mixup"), (6, "Mixup to the end"), (None, "undecided")], ids=str
)
def test_there_are_other_answers_than_an_epoch(loops, switch_at, answer):
    training = loops.Training()
    run = loops.start(training, loops.Scripted((), 1, 4, switch_at))
    training.drive(run)
    assert run.decision.answer == answer
    assert run.spent == (10 if switch_at == 0 else 6)


def test_a_schedule_says_that_it_was_fixed():
    run = overmix.Epochs(4, mix=overmix.Mixup(), switch=overmix.off_at(0.5))
    assert (run.decision.answer, run.decision.switch_at) == ("fixed", 2)
    assert str(run.decision).startswith("Fixed before the training: OffAt(when=0.5).")


class Wrapped:
    def __init__(self, param_groups):
        self.param_groups = param_groups

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Forgetful(torch.nn.Linear):
    def load_state_dict(self, state, *arguments):
        return None


def test_an_incomplete_state_is_refused_before_any_work(loops):
    t = loops.Training()
    policy = loops.Scripted(probes=(1,))
    other = torch.nn.Linear(2, 2)
    example = r'state=\{"model": model, "optimizer": optimizer, "scheduler": scheduler\}$'
    for state, message in [
        (None, rf"^state = None: the policy probes and sets the training back: give {example}"),
        ({}, r"^state = None: the policy probes"),
        ([t.model], r"^state = 'list': give the objects by name"),
        ({0: t.model}, r"^state = 0: names are strings"),
        ({"model": t.model, "optimizer": 3}, r"^state\['optimizer'\] = 'int': give an object with state_dict"),
        ({"model": torch.nn.Linear}, r"^state\['model'\] = 'Linear': give an object with state_dict"),
        ({"model": t.model}, r"^state = \['model'\]: the policy sets the training back, register all of it"),
        ({"optimizer": t.optimizer, "scheduler": t.scheduler}, r"trains parameters of no registered model"),
        ({**t.state, "model": other}, r"trains parameters of no registered model"),
        ({"model": t.model, "optimizer": t.optimizer}, r"the optimizer has a scheduler, register it too"),
    ]:
        with pytest.raises(ConfigError, match=message):
            loops.start(t, policy, state=state)
    assert t.targets == []


def test_a_scheduler_of_another_optimizer_does_not_count(loops):
    t = loops.Training()
    others = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    foreign = torch.optim.lr_scheduler.StepLR(others, 1)
    with pytest.raises(ConfigError, match="register it too"):
        loops.start(t, loops.Scripted(probes=(1,)), state={**t.state, "scheduler": foreign})


def test_a_scheduler_that_comes_after_the_run_is_noticed(loops):
    t = loops.Training(schedule="constant")
    run = loops.start(t, loops.Scripted(probes=(1,)))
    torch.optim.lr_scheduler.StepLR(t.optimizer, 1)
    with pytest.raises(ConfigError, match="register it too"):
        next(iter(run))


def test_wrapped_optimizers_and_models_of_ones_own_are_welcome(loops):
    t = loops.Training(schedule="constant")
    state = {"model": Wrapped([]), "optimizer": Wrapped(t.optimizer.param_groups)}
    del state["model"].param_groups
    loops.start(t, loops.Scripted(probes=(1,)), state=state)


def test_an_object_that_does_not_take_back_what_it_gave_is_noticed(loops):
    t = loops.Training(schedule="constant")
    t.model = Forgetful(5, 3)
    t.optimizer = torch.optim.SGD(t.model.parameters(), lr=0.1)
    with pytest.raises(OvermixError, match=r"^state\['model'\]: Forgetful.load_state_dict does not bring back"):
        t.drive(loops.start(t, loops.Scripted(probes=(1,))))


@pytest.mark.parametrize(
    ("policy", "settings", "message"),
    [
        ({"probes": (0,)}, {"steps_per_epoch": None}, r"^steps_per_epoch = None: the policy probes before the first"),
        ({"probes": (0,)}, {"steps_per_epoch": 0}, r"^steps_per_epoch = 0: use an integer >= 1"),
        ({"probes": (2, 1)}, {}, r"^switch.probe_epochs = \(2, 1\): use increasing epochs in \[0, 6\)"),
        ({"probes": (6,)}, {}, r"^switch.probe_epochs = \(6,\): "),
        ({"probes": (1,), "tail": 0}, {}, r"^switch.tail_epochs = 0: use at least one epoch"),
    ],
)
def test_plans_that_cannot_work_are_refused(loops, policy, settings, message):
    t = loops.Training()
    with pytest.raises(ConfigError, match=message):
        loops.start(t, loops.Scripted(**policy), **settings)


class Says:
    """A policy with a fixed answer after the first epoch."""

    def __init__(self, answer):
        self.answer = answer

    def probe_epochs(self, epochs):
        return ()

    def tail_epochs(self, epochs):
        return 1

    def decide(self, history):
        return self.answer if history.done == 2 else Decision(None, "")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (3, r"^switch = 3: decide\(history\) returns an overmix.switch.Decision"),
        (Decision(7, ""), r"^switch_at = 7: a policy decides for None or an epoch in \[0, 6\]"),
        (Decision(-1, ""), r"^switch_at = -1: "),
        (Decision(1, ""), r"^switch_at = 1: a policy that goes back must name the epoch as keep"),
        (Decision(None, "", keep=1), r"^keep = 1: that state is gone"),
    ],
)
def test_answers_that_cannot_be_followed_are_refused(loops, answer, message):
    t = loops.Training()
    with pytest.raises(ConfigError, match=message):
        t.drive(loops.start(t, Says(answer)))


def test_a_policy_that_keeps_needs_the_state(loops):
    t = loops.Training()
    with pytest.raises(ConfigError, match=r"^state = None: the policy may set the training back"):
        t.drive(loops.start(t, Says(Decision(None, "", keep=2)), state=None))


def test_a_policy_that_only_looks_needs_no_state(loops):
    t = loops.Training()
    run = loops.start(t, Says(Decision(4, "enough")), state=None)
    t.drive(run)
    assert [seen.mixing for seen in run.history] == [1.0] * 4 + [0.0] * 2


def test_a_probe_without_scores_is_an_error_and_the_training_is_set_back_first(loops):
    t = loops.Training()
    run = loops.start(t, loops.Scripted(probes=(1,), tail=1))
    before = {}

    def drive():
        for epoch in run:
            t.model.train()
            for x, y in t.loader:
                t.step(epoch, x, y)
            if epoch.kind == "train":
                before.update({name: value.clone() for name, value in t.model.state_dict().items()})

    with pytest.raises(DataError, match=r"^probe after epoch 1: nothing was observed in the last epoch of its tail"):
        drive()
    assert loops.same(before, dict(t.model.state_dict()))


def test_probes_on_other_samples_are_an_error(loops):
    t = loops.Training()

    def drive():
        for epoch in loops.start(t, loops.Scripted(probes=(1, 2), tail=1)):
            t.body(epoch)
            if epoch.index == 1:
                t.held_out = t.held_out[0][:7], t.held_out[1][:7]

    with pytest.raises(DataError, match=r"^probe after epoch 2: 7 held-out samples, the first probe had 12"):
        drive()


def test_a_wrong_number_of_steps_is_noticed_in_the_first_epoch(loops):
    t = loops.Training()
    with pytest.raises(ConfigError, match=r"^steps_per_epoch = 5: epoch 0 had 3 optimizer steps: give len\(loader\)"):
        t.drive(loops.start(t, loops.Scripted(probes=(1,)), steps_per_epoch=5))
    assert len(t.targets) == loops.STEPS


def test_a_probe_of_batches_that_nobody_mixed_is_refused(loops):
    t = loops.Training()
    run = loops.start(t, loops.Scripted(probes=(1,)), steps_per_epoch=None)
    t.validate(next(iter(run)))
    with pytest.raises(ConfigError, match=r"no batch went through epoch.mix"):
        next(iter(run))


@pytest.mark.parametrize("other", ["order", "labels"])
def test_held_out_samples_that_change_between_probes_are_noticed(loops, other):
    training = loops.Training()
    x, y = training.held_out
    changed = (x.flip(0), y.flip(0)) if other == "order" else (x, (y + 1) % 3)

    def drive():
        for epoch in loops.start(training, loops.Scripted(probes=(0, 2), tail=1)):
            training.held_out = changed if epoch.index == 2 and epoch.kind == "probe" else training.held_out
            training.body(epoch)

    with pytest.raises(DataError, match=r"^probe after epoch 2: .* other labels .* shuffle=False$"):
        drive()


def test_the_labels_of_the_first_probe_survive_a_resume(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(0, 2), tail=1))
    for epoch in run:
        training.body(epoch)
        if epoch.index == 1 and epoch.kind == "train":
            file = training.checkpoint(run.state_dict())
            break
    other = loops.Training()
    again = loops.start(other, loops.Scripted(probes=(0, 2), tail=1))
    other.resume(file, again)
    other.held_out = other.held_out[0].flip(0), other.held_out[1].flip(0)
    with pytest.raises(DataError, match=r"^probe after epoch 2: .* other labels"):
        other.drive(again)


class LikeTimm:
    """A scheduler that cannot be asked for the last rate, but says whose it is."""

    def __init__(self, optimizer):
        self.optimizer, self.now = optimizer, 0
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]

    def state_dict(self):
        return {"now": self.now}

    def load_state_dict(self, state):
        self.now = state["now"]

    def step(self, epoch):
        self.now = epoch
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * (1 - epoch / 10)


def timms(optimizer):
    scheduler = pytest.importorskip("timm.scheduler")
    return scheduler.CosineLRScheduler(optimizer, t_initial=6, warmup_t=2, warmup_lr_init=1e-3)


@pytest.mark.parametrize("scheduler", [LikeTimm, timms], ids=["like timm's", "timm's"])
def test_a_scheduler_of_another_maker_is_registered_and_set_back(loops, scheduler):
    def trained(switch):
        training, rates = loops.Training(schedule="constant"), []
        own = scheduler(training.optimizer)
        state = {"model": training.model, "optimizer": training.optimizer, "scheduler": own}
        for epoch in loops.start(training, switch, state=state):
            if epoch.kind == "train":
                rates.append(training.optimizer.param_groups[0]["lr"])
            training.body(epoch)
            own.step(epoch.index + 1)
        return training, own, rates

    plain, probing = trained(overmix.always()), trained(loops.Scripted(probes=(0, 2, 3), tail=2))
    assert loops.same(plain[0].everything(), probing[0].everything())
    assert plain[2] == probing[2]
    assert len(set(plain[2])) > 3
    assert loops.same(plain[1].state_dict(), probing[1].state_dict())
    training = loops.Training(schedule="constant")
    scheduler(training.optimizer)
    with pytest.raises(ConfigError, match="has a scheduler, register it too"):
        loops.start(training, loops.Scripted(probes=(0,)))


class Trainer:
    """Holds a model and an optimizer, and so is no scheduler."""

    def __init__(self, training):
        self.model, self.optimizer = training.model, training.optimizer

    def state_dict(self):
        return {"model": self.model.state_dict()}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])


def test_what_holds_a_model_is_taken_for_no_scheduler(loops):
    training = loops.Training()
    with pytest.raises(ConfigError, match="has a scheduler, register it too"):
        loops.start(
            training,
            loops.Scripted(probes=(0,)),
            state={"trainer": Trainer(training), "optimizer": training.optimizer},
        )
