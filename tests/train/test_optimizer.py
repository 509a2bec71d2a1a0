import math

import pytest
import torch

from overmix.errors import ConfigError
from overmix.train import SGD, LRSchedule

SHAPES = [(4, 3), (5,), ()]
EPOCHS, STEPS = 4, 3


def gradients_at(step, parameters):
    """A gradient that depends on the parameters, so that errors would build up."""
    return [torch.sin((k + 2) * p.detach() + step) for k, p in enumerate(parameters)]


def pytorch_run(start, lr, weight_decay, optimizer, factors):
    parameters = [torch.nn.Parameter(p.clone()) for p in start]
    reference = torch.optim.SGD(
        parameters, lr=lr, weight_decay=weight_decay, momentum=optimizer.momentum, nesterov=optimizer.nesterov
    )
    trajectory = []
    for step, factor in enumerate(factors):
        reference.param_groups[0]["lr"] = lr * factor
        for parameter, gradient in zip(parameters, gradients_at(step, parameters), strict=True):
            parameter.grad = gradient
        reference.step()
        trajectory.append([p.detach().clone() for p in parameters])
    return trajectory


@pytest.mark.parametrize("schedule", [LRSchedule(), LRSchedule("multistep"), LRSchedule("cosine", warmup=1)])
@pytest.mark.parametrize("weight_decays", [(0.0, 0.0, 0.0), (0.0, 5e-4, 0.1)], ids=["no-decay", "decays"])
@pytest.mark.parametrize("optimizer", [SGD(0.0), SGD(0.9), SGD(0.9, nesterov=True)], ids=str)
def test_a_stack_steps_as_one_pytorch_optimizer_for_each_replica(optimizer, weight_decays, schedule):
    torch.manual_seed(0)
    lrs = torch.tensor([0.1, 0.03, 0.5], dtype=torch.float64)
    parameters = [torch.randn(3, *shape, dtype=torch.float64).requires_grad_() for shape in SHAPES]
    start = [p.detach().clone() for p in parameters]
    factors = schedule.factors(EPOCHS, STEPS)
    velocities = optimizer.init(parameters)
    decay = torch.tensor(weight_decays, dtype=torch.float64) if any(weight_decays) else None
    seen = []
    for step, factor in enumerate(factors):
        optimizer.step(parameters, gradients_at(step, parameters), velocities, lrs * factor, decay)
        seen.append([p.detach().clone() for p in parameters])
    for r in range(3):
        expected = pytorch_run([p[r] for p in start], float(lrs[r]), weight_decays[r], optimizer, factors)
        for own, reference in zip(seen, expected, strict=True):
            torch.testing.assert_close([p[r] for p in own], reference, rtol=1e-12, atol=1e-14)


def test_no_weight_decay_is_a_weight_decay_of_zero_bit_for_bit():
    torch.manual_seed(0)
    start, gradient, lr = torch.randn(2, 3), torch.randn(2, 3), torch.tensor([0.1, 0.2])
    results = []
    for decay in (None, torch.zeros(2)):
        parameters, velocities = [start.clone()], [torch.ones(2, 3)]
        SGD(0.9).step(parameters, [gradient.clone()], velocities, lr, decay)
        results.append((parameters[0], velocities[0]))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


@pytest.mark.parametrize("momentum", [-0.1, 1.0, math.nan, math.inf])
def test_a_momentum_outside_of_its_range_is_refused(momentum):
    with pytest.raises(ConfigError, match=r"^optimizer.momentum = .*: use a number in \[0, 1\)$"):
        SGD(momentum)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ConfigError, match=r"^optimizer.nesterov = True: give a momentum above 0$"):
        SGD(0.0, nesterov=True)
