"""``epoch.plan``: recipes with a loss of their own, or with needs, driven through the same epochs."""

import pytest
import torch
from torch import nn

import overmix
from overmix.errors import ConfigError, DataError
from overmix.recipes import LISA, CMixup, ManifoldMixup, SKMixup

X, Y = torch.rand(8, 5), torch.arange(8) % 2


def make(recipe, switch=None):
    return overmix.Epochs(2, mix=recipe, switch=switch or overmix.off_at(1), seed=3)


def test_a_plan_and_a_mix_at_one_address_are_the_same():
    recipe = overmix.Mixup(alpha=1.0)
    for by_plan, by_mix in zip(make(recipe), make(recipe), strict=True):
        plan = by_plan.plan(X, Y)
        x, target = by_mix.mix(X, Y)
        if by_plan.index == 0:
            torch.testing.assert_close(recipe.apply(plan, X), x, rtol=0, atol=0)
            assert torch.equal(target.b, Y[plan.partner])
        else:
            assert plan is None
            assert torch.equal(x, X)
        assert by_plan.step == by_mix.step == 1
        assert by_plan.mixing == by_mix.mixing


def test_a_recipe_that_mixes_inside_of_the_model_is_driven_by_plans():
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
    run = make(ManifoldMixup(layers=("1",)))
    for epoch in run:
        plan = epoch.plan(X, Y)
        if plan is not None:
            epoch.recipe.objective(model, X, Y, plan).backward()
        assert epoch.mixing == (1.0 if epoch.index == 0 else 0.0)
    with pytest.raises(ConfigError, match="objective"):
        next(iter(make(ManifoldMixup(layers=("1",))))).mix(X, Y)


def test_what_a_recipe_needs_reaches_it_and_its_absence_is_named():
    domain = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    for epoch in make(LISA(within_class=0.0), overmix.always()):
        plan = epoch.plan(X, Y, domain=domain)
        assert torch.equal(domain[plan.partner], domain)
        _, target = epoch.mix(X, Y, domain=domain)
        assert (target.a != target.b).all()
    for epoch in make(SKMixup(), overmix.always()):
        assert epoch.plan(X, Y, features=X).lam.shape == (8,)
        with pytest.raises(DataError, match="features"):
            epoch.plan(X, Y)


def test_regression_values_are_labels_too():
    y = torch.rand(8)
    for epoch in make(CMixup(sigma=0.1), overmix.always()):
        assert epoch.plan(X, y).partner.shape == (8,)
