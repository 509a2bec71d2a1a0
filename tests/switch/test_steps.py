"""Optimizer steps: counted and annealed by the optimizers' own hooks, whatever the loop calls."""

import copy
import gc
import pickle

import pytest
import torch

import overmix
from overmix.errors import ConfigError
from overmix.switch import OffAtStep
from overmix.switch.steps import StepCounter

X, Y = torch.rand(8, 4), torch.arange(8) % 3


def parts(count=1):
    models = [torch.nn.Linear(4, 3) for _ in range(count)]
    return models, [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]


def hooks(optimizer):
    return len(optimizer._optimizer_step_pre_hooks)


class Wrapped:
    """As Fabric and accelerate wrap an optimizer."""

    def __init__(self, optimizer):
        self.optimizer, self.param_groups = optimizer, optimizer.param_groups

    def step(self):
        self.optimizer.step()

    def state_dict(self):
        return self.optimizer.state_dict()

    def load_state_dict(self, state):
        self.optimizer.load_state_dict(state)


def train(model, optimizer, x=X, y=Y):
    optimizer.zero_grad() if hasattr(optimizer, "zero_grad") else model.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, Wrapped, lambda o: Wrapped(Wrapped(o))])
def test_a_switch_after_steps_counts_steps_and_not_batches(wrap):
    (model,), (optimizer,) = parts()
    run = overmix.Epochs(
        4, mix=overmix.Mixup(), switch=OffAtStep(5), state={"model": model, "optimizer": wrap(optimizer)}
    )
    mixed = []
    for epoch in run:
        for batch in range(5):
            _, target = epoch.mix(X, Y)
            mixed.append(bool((target.lam < 1).any()))
            target.cross_entropy(model(X)).backward()
            if batch % 2 or batch == 4:  # two batches are one step, and what is left at the end is one
                optimizer.step()
    # Three steps an epoch: the fifth is done with the fourth batch of the second epoch.
    assert mixed == [True] * 9 + [False] * 11
    assert run.steps == 12
    assert hooks(optimizer) == 0


def test_without_an_optimizer_a_batch_is_a_step():
    run = overmix.Epochs(2, mix=overmix.Mixup(), switch=OffAtStep(3))
    assert [[bool((epoch.mix(X, Y)[1].lam < 1).any()) for _ in range(4)] for epoch in run] == [
        [True, True, True, False],
        [False] * 4,
    ]
    assert run.steps == 8


def test_an_optimizer_that_never_steps_leaves_batches_to_be_counted():
    (model,), (optimizer,) = parts()
    run = overmix.Epochs(3, mix=overmix.Mixup(), state={"model": model, "optimizer": optimizer})
    for epoch in run:
        for _ in range(4):
            epoch.mix(X, Y)
    assert run.steps == 12


def test_a_loop_that_mixes_nothing_through_the_run_is_annealed(loops):
    """What a user gates by ``epoch.on``: no call for a batch at all."""

    def trained(switch):
        training, rates, on = loops.Training("sgd", "constant"), [], []
        training.optimizer.register_step_post_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
        run = overmix.Epochs(6, switch=switch, state=training.state)
        for epoch in run:
            training.model.train()
            on.append((epoch.kind, epoch.on))
            for x, y in training.loader:
                training.optimizer.zero_grad()
                torch.nn.functional.cross_entropy(training.model(x), y).backward()
                training.optimizer.step()
            training.validate(epoch)
        return training, run, rates, on

    plain, _, _, _ = trained(overmix.always())
    probing, run, rates, on = trained(loops.Scripted(probes=(2,), tail=2))
    assert loops.same(plain.everything(), probing.everything())
    steps = loops.STEPS
    assert rates[2 * steps : 4 * steps] == pytest.approx([0.1 * (1 - t / (2 * steps)) for t in range(2 * steps)])
    assert set(rates[: 2 * steps] + rates[4 * steps :]) == {0.1}
    assert on[2:4] == [("probe", False)] * 2
    assert [seen.mixing for seen in run.history] == [1.0] * 6


def test_going_back_goes_back_to_the_count(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(1, 2), tail=2, decide_at=4, switch_at=2))
    counts = []
    for epoch in run:
        counts.append((epoch.kind, run.steps // loops.STEPS))
        training.body(epoch)
    tails = [[("probe", at), ("probe", at + 1)] for at in (1, 2)]
    own = [("train", epoch) for epoch in range(4)]
    expected = [own[0], *tails[0], own[1], *tails[1], *own[2:], *[("final", epoch) for epoch in range(2, 6)]]
    assert counts == expected
    assert run.steps == 6 * loops.STEPS


@pytest.mark.parametrize("stop", [(0, 1), (1, 0), (1, 2), (2, 1)])
def test_a_resumed_run_goes_on_counting_steps(stop):
    def drive(run, model, optimizer, stop=None):
        mixed = []
        for epoch in run:
            for batch in range(epoch.step, 3):
                _, target = epoch.mix(X, Y)
                mixed.append(bool((target.lam < 1).any()))
                train(model, optimizer)
                if (epoch.index, batch) == stop:
                    return mixed, epoch.state_dict()
        return mixed, None

    def begun():
        (model,), (optimizer,) = parts()
        state = {"model": model, "optimizer": optimizer}
        return overmix.Epochs(3, mix=overmix.Mixup(), switch=OffAtStep(4), state=state), model, optimizer

    before, state = drive(*begun(), stop=stop)
    run, *own = begun()
    run.load_state_dict(state)
    assert before + drive(run, *own)[0] == [True] * 4 + [False] * 5
    assert run.steps == 9


def test_an_epoch_must_have_the_steps_that_were_told(loops):
    training = loops.Training()
    run = loops.start(training, loops.Scripted(probes=(2,)), steps_per_epoch=loops.STEPS)
    epoch = run.next_epoch()
    for batch, (x, y) in enumerate(training.loader):
        x, target = epoch.mix(x, y)
        target.cross_entropy(training.model(x)).backward()
        if batch == loops.STEPS - 1:  # all are accumulated
            training.optimizer.step()
    with pytest.raises(ConfigError, match=r"^steps_per_epoch = 3: epoch 0 had 1 optimizer steps: give len"):
        run.next_epoch()


def test_a_gradient_scaler_may_leave_out_some(loops):
    training = loops.Training()
    state = {**training.state, "scaler": torch.amp.GradScaler("cpu")}
    run = loops.start(training, loops.Scripted(probes=(2,)), state=state)
    epoch = run.next_epoch()
    for number, (x, y) in enumerate(training.loader):
        if number:
            training.step(epoch, x, y)
        else:
            epoch.mix(x, y)
    assert run.next_epoch().index == 1


def test_two_optimizers_fall_together_and_are_counted_once():
    counter, rates = StepCounter([part for part in parts(2)[1]]), []
    counter.attach()
    counter.listener = rates.append
    critic, generator = counter._optimizers
    for _ in range(3):
        critic.step()
        critic.step()
        generator.step()
    assert counter.done == 6
    assert rates == [0, 1, 1, 2, 3, 3, 4, 5, 5]
    counter.detach()


def test_hooks_are_in_no_copy_and_do_not_survive_the_run():
    (model,), (optimizer,) = parts()

    def run():
        return overmix.Epochs(2, mix=overmix.Mixup(), state={"model": model, "optimizer": optimizer})

    first = run()
    epoch = first.next_epoch()
    assert hooks(optimizer) == 1
    for copied in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert hooks(copied) == 0
    for hook in optimizer._optimizer_step_pre_hooks.values():
        pickle.loads(pickle.dumps(copy.deepcopy(hook)))()
    assert first.steps == 0
    # A second run takes over; the first one does not see its steps, and gets them back when it goes on.
    second = run()
    second.next_epoch()
    train(model, optimizer)
    assert (hooks(optimizer), first.steps, second.steps) == (1, 0, 1)
    first.next_epoch()
    train(model, optimizer)
    assert (hooks(optimizer), first.steps, second.steps) == (1, 1, 1)
    del first, epoch
    gc.collect()
    assert hooks(optimizer) == 0
    for _ in run():
        break
    assert hooks(optimizer) == 0


def test_a_compiled_step_that_mixes_breaks_its_graph_at_most_three_times():
    dynamo = pytest.importorskip("torch._dynamo")
    (model,), _ = parts()

    def step(epoch, x, y):
        x, _ = epoch.mix(x, y)
        return model(x).square().sum()

    epoch = overmix.Epochs(2, mix=overmix.Mixup()).next_epoch()
    assert dynamo.explain(step)(epoch, X, Y).graph_break_count <= 3
    dynamo.reset()
