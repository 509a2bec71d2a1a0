"""AdamW for a stack, against torch.optim.AdamW for each replica."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.train.test_engine import EXECUTIONS, assert_identical, assert_parameters_close, mixed_runs, standardised

from overmix.errors import ConfigError
from overmix.switch import AutoSwitch
from overmix.train import AdamW, DecidingTraining, LRSchedule
from overmix.train.plan import Planner
from overmix.train.resident import Labels
from overmix.train.stacked_model import seeded_model

SHAPES = [(4, 3), (5,), ()]


def gradients_at(step, parameters):
    """A gradient that depends on the parameters, so that errors would build up."""
    return [torch.sin((k + 2) * p.detach() + step) for k, p in enumerate(parameters)]


@pytest.mark.parametrize(
    ("dtype", "decays"),
    [(torch.float64, (0.0, 0.0, 0.0)), (torch.float64, (0.0, 0.01, 1.0)), (torch.float32, (0.0, 0.01, 1.0))],
    ids=["no decay", "decays", "decays in float32"],
)
@pytest.mark.parametrize("optimizer", [AdamW(), AdamW((0.5, 0.9), 1e-3), AdamW((0.0, 0.9), 0.1)], ids=str)
def test_a_stack_steps_as_one_pytorch_optimizer_for_each_replica(optimizer, decays, dtype):
    torch.manual_seed(0)
    lrs = torch.tensor([1e-3, 1e-2, 0.1], dtype=dtype)
    parameters = [torch.randn(3, *shape, dtype=dtype) for shape in SHAPES]
    start = [p.clone() for p in parameters]
    moments = optimizer.init(parameters)
    decay = torch.tensor(decays, dtype=dtype) if any(decays) else None
    factors = LRSchedule("cosine", warmup=5).factors(20, 2)
    for step, factor in enumerate(factors):
        optimizer.step(parameters, gradients_at(step, parameters), moments, lrs * factor, decay)
    for r in range(3):
        own = [torch.nn.Parameter(p[r].clone()) for p in start]
        reference = torch.optim.AdamW(own, betas=optimizer.betas, eps=optimizer.eps, weight_decay=decays[r])
        for step, factor in enumerate(factors):
            reference.param_groups[0]["lr"] = float(lrs[r]) * factor
            for p, gradient in zip(own, gradients_at(step, own), strict=True):
                p.grad = gradient
            reference.step()
        exact = dtype == torch.float64
        torch.testing.assert_close(
            [p[r] for p in parameters],
            [p.detach() for p in own],
            rtol=1e-9 if exact else 1e-4,
            atol=1e-10 if exact else 1e-4,
        )


def test_a_parameter_that_takes_no_part_is_left_alone_and_counts_no_step(replica, training, models):
    own = training([replica(0, weight_decay=0.1)], models["unused_layer"], "looped", optimizer=AdamW())
    before = {name: p.detach().clone() for name, p in own.model.parameters.items()}
    own.train()
    names = list(own.model.parameters)
    steps = own.stepper.moments[2 * len(names) :]
    for name, count in zip(names, steps, strict=True):
        unused = name.startswith("unused")
        assert torch.equal(own.model.parameters[name], before[name]) == unused
        assert int(count) == (0 if unused else own.epochs * own.steps_per_epoch)


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", ["mlp", "batch_norm", "convnet"])
def test_the_engine_trains_as_a_plain_loop_does(replica, training, models, name, execution):
    runs = mixed_runs(replica, lr=3e-3, weight_decay=0.1, lr_schedule=LRSchedule("cosine"))
    runs[1:] = [replica(run.streams.replica_seed, lr=1e-3, weight_decay=0.0) for run in runs[1:]]
    own = training(runs, models[name], execution, optimizer=AdamW((0.8, 0.95), 1e-4))
    own.train()
    for r, run in enumerate(runs):
        model = seeded_model(models[name], run.streams.torch_seed("init"))
        reference = torch.optim.AdamW(
            model.parameters(), betas=(0.8, 0.95), eps=1e-4, lr=run.lr, weight_decay=run.weight_decay
        )
        x, y = standardised(own, r), F.one_hot(own.data.y, own.data.num_classes).float()
        planner = Planner([run], Labels(own.data.y), (6,), own.epochs, 12, torch.device("cpu"))
        factors = iter(run.lr_schedule.factors(own.epochs, own.steps_per_epoch))
        for epoch in range(own.epochs):
            plan = planner.epoch(epoch)
            for step in range(own.steps_per_epoch):
                i, lam = plan.index[step, 0], plan.lam[step, 0, :, None]
                j = i[plan.partner[step, 0]]
                reference.param_groups[0]["lr"] = run.lr * next(factors)
                reference.zero_grad()
                F.cross_entropy(model(lam * x[i] + (1 - lam) * x[j]), lam * y[i] + (1 - lam) * y[j]).backward()
                reference.step()
        found = {key: p.detach()[r] for key, p in own.model.parameters.items()}
        assert_parameters_close(found, {key: p.detach() for key, p in model.named_parameters()})


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_it_goes_on_from_any_step_and_after_probes_to_the_same_bits(replica, training, models, execution):
    def new():
        return training(mixed_runs(replica, weight_decay=0.01), models["batch_norm"], execution, optimizer=AdamW())

    states = []
    whole = new().train(after_step=lambda own: states.append(own.state_dict()))
    for state in states[1::4]:
        again = new()
        again.load_state_dict(state)
        again.probe(tail=2)
        assert_identical(again.train(), whole)


def test_replicas_decide_by_themselves_and_end_as_the_switch_they_decided_on(replica, training, models):
    policy = AutoSwitch()
    deciding = training(
        [replica(0), replica(1)], models["mlp"], epochs=20, optimizer=AdamW(), kind=DecidingTraining, policy=policy
    )
    result = deciding.train()
    assert result.switch_at is not None
    fixed = training(deciding.planner.replicas, models["mlp"], epochs=20, optimizer=AdamW()).train()
    assert_identical(result, fixed)
    assert np.isfinite(result.metrics["test_error"]).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AdamW((1.0, 0.9)), r"^optimizer.betas = \[1.0, 0.9\]: use two numbers in \[0, 1\)$"),
        (lambda: AdamW((0.9, math.nan)), "optimizer.betas"),
        (lambda: AdamW(eps=0.0), r"^optimizer.eps = 0.0: use a number > 0$"),
        (lambda: AdamW(eps=math.inf), "optimizer.eps"),
    ],
)
def test_settings_that_cannot_work(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
