"""What goes wrong in a loop works all the same, or is said in one line."""

import copy
import threading

import pytest
import torch
from torch.utils.data import DataLoader

import overmix
from overmix.errors import ConfigError, DataError, OvermixError
from overmix.switch import Epochs, OffAtStep, OnFrom, Phases
from overmix.switch.rescue import PlainTraining


def snapshot_of(training):
    return copy.deepcopy(training.everything())


def test_a_probe_that_nobody_observed_is_an_error_and_begun_again(loops):
    training, kinds = loops.Training(), []
    run = loops.start(training, loops.Scripted(probes=(1,), tail=2))

    def drive(observe):
        for epoch in run:
            kinds.append(epoch.kind)
            training.model.train()
            for x, y in training.loader:
                training.step(epoch, x, y)
            if observe or epoch.kind != "probe":
                training.validate(epoch)
            if epoch.kind == "train" and epoch.index == 0:
                drive.before = snapshot_of(training)

    for _ in range(2):
        with pytest.raises(DataError, match=r"^probe after epoch 1: nothing was observed"):
            drive(observe=False)
        assert loops.same(drive.before, snapshot_of(training))
    drive(observe=True)
    assert kinds == ["train", *["probe"] * 6, *["train"] * 5]
    assert [probe.epoch for probe in run.decision.probes] == [1]


@pytest.mark.parametrize("how", ["break", "error"])
@pytest.mark.parametrize("tail", [0, 1])
def test_a_loop_left_inside_of_a_probe_has_its_training_back(loops, how, tail):
    plain = loops.Training()
    plain.drive(loops.start(plain, overmix.always()))
    training, left = loops.Training(), 0
    run = loops.start(training, loops.Scripted(probes=(1,), tail=2))
    try:
        for epoch in run:
            training.body(epoch)
            if epoch.kind == "train":
                before = snapshot_of(training)
            elif left == tail:
                if how == "error":
                    raise RuntimeError
                break
            else:
                left += 1
    except RuntimeError:
        pass
    assert loops.same(before, snapshot_of(training))
    assert training.model[1].momentum == 0.1
    with pytest.raises(OvermixError, match=r"^epoch \d \(probe\) has ended"):
        epoch.observe(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    training.drive(run)
    assert loops.same(plain.everything(), training.everything())


def test_epochs_are_taken_one_by_one(loops):
    epochs = list(Epochs(3, mix=overmix.Mixup()))
    for use in (lambda e: e.mix(torch.rand(4, 2), torch.arange(4)), lambda e: e.on, lambda e: e.observe(scores=None)):
        with pytest.raises(OvermixError, match=r"^epoch 0 \(train\) has ended: mix and observe inside of its own body"):
            use(epochs[0])
    training = loops.Training()
    with pytest.raises(ConfigError, match=r"^steps_per_epoch = 0: no optimizer stepped and no batch went through"):
        list(loops.start(training, loops.Scripted(probes=(1,)), steps_per_epoch=None))


class InWorker:
    def __init__(self, epoch):
        self.epoch = epoch

    def __call__(self, samples):
        x, y = (torch.stack(part) for part in zip(*samples, strict=True))
        return self.epoch.mix(x, y)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_mixing_in_a_loaders_worker_is_refused_and_without_workers_it_works(loops):
    training = loops.Training()
    epoch = Epochs(1, mix=overmix.Mixup()).next_epoch()
    collate = InWorker(epoch)
    assert len(list(DataLoader(training.data, batch_size=8, collate_fn=collate))) == 3
    assert epoch.mixing == 1.0
    loader = DataLoader(training.data, 8, collate_fn=collate, num_workers=1, multiprocessing_context="fork")
    with pytest.raises(Exception, match=r"epoch.mix = \"called in a loader's worker\": a worker holds a copy"):
        list(loader)


def test_a_run_without_a_recipe_says_whether_what_is_gated_is_on():
    on = {}
    for switch in (overmix.off_at(2), OnFrom(2), overmix.never(), None):
        run = Epochs(4, switch=switch)
        on[repr(switch)] = [epoch.on for epoch in run]
        assert [epoch.mixing for epoch in Epochs(4, switch=switch) if epoch.on is not None] == list(
            map(float, on[repr(switch)])
        )
    assert list(on.values()) == [[True, True, False, False], [False, False, True, True], [False] * 4, [True] * 4]
    with pytest.raises(ConfigError, match=r"^mix = None: this run has no recipe: give one, or ask epoch.on"):
        Epochs(1).next_epoch().mix(torch.rand(4, 2), torch.arange(4))


def test_a_share_of_batches_is_settled_once_for_an_epoch_and_steps_are_refused():
    run = Epochs(200, switch=overmix.switch.LinearDecay())
    on = [(epoch.on, epoch.on) for epoch in run]
    assert all(one == other for one, other in on)
    assert 80 < sum(one for one, _ in on) < 120
    assert on == [(epoch.on, epoch.on) for epoch in Epochs(200, switch=overmix.switch.LinearDecay())]
    with pytest.raises(ConfigError, match=r"^off_at_step = 5: steps may end inside an epoch: "):
        Epochs(4, switch=OffAtStep(5)).next_epoch().on  # noqa: B018
    phases = Phases([(0, overmix.Mixup()), (0.5, None)])
    assert [epoch.on for epoch in Epochs(4, mix=phases)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, r"^state: a NoneType is no saved run: give what run.state_dict\(\) returned$"),
        ([], r"^state: a list is no saved run"),
        ({"version": 5}, r"^state: version 5 is not 7: start a new run$"),
        ({"version": 7}, r"^state: run, position, spent, steps, pending, course missing"),
        ({"position": {"epoch": -5}}, r"^state.epoch = -5: it is damaged: a count is an integer >= 0$"),
        ({"position": {"epoch": 9, "reached": 9}}, r"^state.position = .*: a run of 6 epochs cannot stand there"),
        ({"position": {"epoch": 1.5, "reached": 2}}, r"^state.epoch = 1.5: it is damaged"),
        ({"position": {"epoch": 2}}, r"^state.position = .*: a run of 6 epochs cannot stand there"),
        ({"position": {"epoche": 2}}, r"^state.position = .*: give what run.state_dict\(\) returned"),
        ({"position": 3}, r"^state.position = 3: "),
        ({"spent": -1}, r"^state.spent = -1: "),
        ({"steps": None}, r"^state.steps = None: "),
        ({"course": {}}, r"^state: it is damaged \(KeyError: 'record'\)"),
        ({"course": None}, r"^state: it is damaged \(TypeError: "),
        ({"pending": {"index": 3}}, r"^state: it is damaged \(KeyError: "),
        ({"run": None}, r"^epochs = 6: the saved run has None"),
    ],
)
@pytest.mark.parametrize("switch", ["schedule", "policy"])
def test_a_damaged_state_is_refused_and_the_run_is_as_it_was(loops, switch, change, message):
    training = loops.Training()
    run = loops.start(training, overmix.off_at(3) if switch == "schedule" else loops.Scripted(probes=(1,), tail=1))
    whole = run.state_dict()
    state = {**whole, **change} if isinstance(change, dict) and "version" not in change else change
    with pytest.raises(OvermixError, match=message):
        run.load_state_dict(state)
    assert run.state_dict() == whole


def without_rate(training):
    del training.optimizer.param_groups[0]["lr"]


def with_lock(training):
    layer = training.model[0]
    methods = {"get_extra_state": lambda _: {"guard": [threading.Lock()]}, "set_extra_state": lambda *_: None}
    layer.__class__ = type("Guarded", (type(layer),), methods)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without_rate, r"^state\['optimizer'\] = '\w+': a probe .* \(group 0 has no lr\): give each group a number"),
        (
            with_lock,
            r"^state\['model'\]\['0._extra_state'\]\['guard'\]\[0\] = 'lock': it cannot be copied, .*: leave it out",
        ),
    ],
)
def test_a_training_that_cannot_be_set_back_is_refused_when_it_is_registered(loops, spoil, told):
    training = loops.Training()
    spoil(training)
    for register in (
        lambda: Epochs(20, mix=overmix.Mixup(), switch=overmix.AutoSwitch(), state=training.state),
        lambda: PlainTraining(training.state, print, print, epochs=20, steps=loops.STEPS),
    ):
        with pytest.raises(ConfigError, match=told):
            register()
    Epochs(20, mix=overmix.Mixup(), switch=overmix.always(), state=training.state)  # which sets nothing back


class Halving(torch.optim.Optimizer):
    """Has no rate."""

    def __init__(self, parameters):
        super().__init__(parameters, {})

    def step(self):
        for p in self.param_groups[0]["params"]:
            p.data.mul_(0.5)


@pytest.mark.parametrize("rate", [{}, {"lr": None}])
def test_a_policy_that_goes_back_and_does_not_probe_asks_for_no_rate(loops, rate):
    model = torch.nn.Linear(2, 2)
    optimizer, before, factors = Halving(model.parameters()), model.bias[0].item(), []
    optimizer.param_groups[0].update(rate)
    policy = loops.Scripted(decide_at=2, switch_at=1)
    for _ in Epochs(4, switch=policy, state={"model": model, "optimizer": optimizer}):
        optimizer.step()
        factors.append(model.bias[0].item() / before)
    assert factors == [1 / 2, 1 / 4, 1 / 4, 1 / 8, 1 / 16]


def test_a_lock_that_comes_later_is_named_by_the_snapshot(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1,), tail=2))
    training.body(run.next_epoch())
    with_lock(training)
    with pytest.raises(ConfigError, match=r"\['guard'\]\[0\] = 'lock': it cannot be copied"):
        run.next_epoch()
