import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from overmix.errors import ConfigError, DataError
from overmix.mix import BetaCoefficient, KernelPairing, StreamCursor, Streams
from overmix.recipes import CMixup

X, Y = torch.randn(8, 3), torch.linspace(-1, 1, 8)


def plan_of(recipe, step=0):
    return recipe.plan(recipe.draw(StreamCursor(Streams(1)), 8, step=step), Y)


def test_it_is_kernel_pairs_and_one_beta_lam():
    recipe = CMixup(1.5, 0.3)
    assert recipe.pairing == KernelPairing(0.3)
    assert recipe.coefficient == BetaCoefficient(1.5, "batch")
    assert recipe.needs == frozenset()


@pytest.mark.parametrize("shape", [(8,), (8, 1), (8, 2)])
def test_the_objective_is_the_squared_error_of_the_mixed_value(shape):
    y = torch.randn(shape)
    recipe, model = CMixup(), nn.Linear(3, 2 if shape == (8, 2) else 1)
    plan = recipe.plan(recipe.draw(Streams(1), 8), y)
    lam = plan.lam[:, None]
    mixed = model(lam * X + (1 - lam) * X[plan.partner])
    values = y.view(8, -1)
    expected = F.mse_loss(mixed, lam * values + (1 - lam) * values[plan.partner])
    torch.testing.assert_close(recipe.objective(model, X, y, plan), expected)


def test_partners_get_nearer_as_the_width_falls():
    widths = (math.inf, 1.0, 0.3, 0.1)
    distances = []
    for sigma in widths:
        recipe = CMixup(sigma=sigma)
        distances.append(sum(float((Y - Y[plan_of(recipe, step).partner]).abs().mean()) for step in range(100)))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < distances[0] / 3


def test_a_tiny_width_keeps_every_value():
    recipe = CMixup(sigma=1e-9)
    plan = plan_of(recipe)
    assert plan.alone.all()
    assert torch.equal(recipe.target(plan, Y).soft(), Y)


def test_classes_have_no_distance():
    with pytest.raises(DataError, match=r"by distance between labels, but y is of dtype torch\.int64"):
        CMixup()(X, torch.arange(8))


def test_bad_parameters_are_refused():
    with pytest.raises(ConfigError, match=r"^sigma = 0"):
        CMixup(sigma=0)
