"""A study and a user's own loop decide identically on the same signals."""

from dataclasses import replace

import pytest
import torch

import overmix
from overmix.switch import AutoSwitch, Epochs
from overmix.train import SGD, DecidingTraining, FirstRun
from overmix.train.stacked_model import seeded_model

MIXUP = overmix.Mixup(alpha=1.0)


def in_a_loop(own, run, policy, factory):
    """The loop of a user who sees the same samples in the same order, and looks when the study looks."""
    mean, std = own.normalization.mean[0], own.normalization.std[0]
    x, y = (own.data.x.float() - mean) / std, own.data.y
    model = seeded_model(factory, run.streams.torch_seed("init"))
    optimizer = torch.optim.SGD(model.parameters(), lr=run.lr, momentum=0.9)
    loop = Epochs(
        own.epochs, mix=MIXUP, switch=policy, seed=run.streams.replica_seed, state={"model": model, "opt": optimizer}
    )
    grid = set(own.evaluation_epochs.tolist())
    for epoch in loop:
        order = run.streams.generator("order", epoch=epoch.index).permutation(run.train_index)
        for index in torch.from_numpy(order[:36]).split(12):
            x_mixed, target = epoch.mix(x[index], y[index])
            optimizer.zero_grad()
            loss = target.cross_entropy(model(x_mixed))
            loss.backward()
            optimizer.step()
            epoch.observe_loss(loss, target)
        if epoch.kind == "probe" or epoch.index + 1 in grid:
            with torch.no_grad():
                epoch.observe(model(x[run.val_index]), y[run.val_index])
                epoch.observe(model(x[run.train_index]), y[run.train_index], split="train")
    return loop, {name: p.detach() for name, p in model.named_parameters()}


@pytest.mark.parametrize("seed", range(4))
def test_one_decision_one_cost_one_model(replica, training, models, seed):
    policy = AutoSwitch(shares=(0.1, 0.2, 0.3, 0.5, 0.7), tail=0.1)
    run = replica(seed)
    plain = training([run], models["mlp"], epochs=20)
    study = DecidingTraining(
        policy,
        [run],
        factory=models["mlp"],
        data=plain.data,
        normalization=plain.normalization,
        optimizer=SGD(momentum=0.9),
        epochs=20,
        batch_size=12,
        execution="stacked",
    )
    found = study.train()
    loop, weights = in_a_loop(plain, run, policy, models["mlp"])
    assert loop.decision.switch_at == found.switch_at[0]
    assert loop.cost == pytest.approx(found.cost[0])
    own = {name: p.detach()[0] for name, p in study.model.parameters.items()}
    # The same run up to float32's rounding, which some dozens of steps magnify a little.
    torch.testing.assert_close(own, weights, rtol=1e-3, atol=1e-4)
    theirs, ours = loop.history, study.history(0).observations
    assert [(seen.epoch, seen.split) for seen in theirs][: len(ours)] == [(seen.epoch, seen.split) for seen in ours]
    # Both are told the same of the training itself: margins, losses and floors of the same epochs.
    for here, there in zip(theirs, ours, strict=False):
        assert here.margin == (None if there.margin is None else pytest.approx(there.margin, abs=1e-3))
    told = {fit.epoch: fit for fit in loop.fits}
    for fit in study.history(0).fits:
        if fit.epoch < found.switch_at[0]:
            assert told[fit.epoch].floor == pytest.approx(fit.floor, abs=1e-6)
            assert told[fit.epoch].loss == pytest.approx(fit.loss, abs=1e-3)
            assert (told[fit.epoch].n, told[fit.epoch].mixing) == (fit.n, fit.mixing)


def test_without_a_validation_set_both_decide_on_the_same_part(replica, training, models):
    policy = AutoSwitch(shares=(0.1, 0.2, 0.3, 0.5, 0.7), tail=0.1)
    run = replica(1)
    # 36 samples to train on, as the loop takes that many: what is held out comes from the training samples' end.
    part = replace(run, train_index=run.train_index[:36], val_index=run.train_index[36:])
    plain = training([part], models["mlp"], epochs=20)
    first = FirstRun(
        policy,
        [part],
        factory=models["mlp"],
        data=plain.data,
        normalization=plain.normalization,
        optimizer=SGD(momentum=0.9),
        epochs=20,
        batch_size=12,
        execution="stacked",
    )
    first.train()
    loop, _ = in_a_loop(plain, part, policy, models["mlp"])
    assert loop.decision.switch_at == first.switch_at[0]
    # The loop has trained on from its switch; a first run stops when it has decided.
    assert loop.spent - (20 - loop.decision.switch_at) == first.trained[0]


def test_the_runs_do_not_all_decide_alike(replica, training, models):
    # Otherwise the test above would say little.
    policy = AutoSwitch(shares=(0.1, 0.2, 0.3, 0.5, 0.7), tail=0.1)
    runs = [replica(seed) for seed in range(4)]
    plain = training(runs, models["mlp"], epochs=20)
    study = DecidingTraining(
        policy,
        runs,
        factory=models["mlp"],
        data=plain.data,
        normalization=plain.normalization,
        optimizer=SGD(momentum=0.9),
        epochs=20,
        batch_size=12,
        execution="stacked",
    )
    assert len(set(study.train().switch_at.tolist())) > 1
