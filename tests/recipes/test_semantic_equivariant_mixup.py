import pytest
import torch
from torch import nn

from overmix.errors import ConfigError
from overmix.mix import MixPlan, SquaredError, Streams
from overmix.recipes import Mixup, SemanticEquivariantMixup
from overmix.recipes.semantic_equivariant_mixup import equivariance_gap

X, Y = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0, 2])


def network(affine=False):
    torch.manual_seed(0)
    middle = nn.Identity() if affine else nn.Tanh()
    return nn.Sequential(nn.Linear(4, 5), middle, nn.Linear(5, 3)).double()


def plan_of(recipe, step=0):
    plan = recipe.plan(recipe.draw(Streams(1), 6, step=step), Y)
    return MixPlan(plan.partner, plan.lam.double())


def gap_of(encode, plan):
    mixed = Mixup().apply(plan, X)
    return equivariance_gap(encode(mixed), encode(X), plan)


def random_plan(seed=0):
    g = torch.Generator().manual_seed(seed)
    return MixPlan(torch.randperm(6, generator=g).roll(1), torch.rand(6, generator=g, dtype=torch.float64))


def test_an_affine_encoder_has_no_gap():
    encode = nn.Linear(4, 5).double()
    assert gap_of(encode, random_plan()) < 1e-30


@pytest.mark.parametrize("bend", [torch.tanh, torch.relu])
def test_a_bent_encoder_has_a_gap(bend):
    encode = nn.Linear(4, 5).double()
    assert gap_of(lambda x: bend(encode(x)), random_plan()) > 1e-6


def test_there_is_no_gap_where_nothing_is_mixed():
    plan = random_plan()
    for lam in (torch.ones(6), torch.zeros(6)):
        assert gap_of(torch.tanh, MixPlan(plan.partner, lam.double())) == 0
    assert gap_of(torch.tanh, MixPlan(torch.arange(6), plan.lam)) < 1e-30


def test_the_gap_is_symmetric_in_the_two_partners_and_quadratic_in_the_scale():
    partner = torch.tensor([1, 0, 3, 2, 5, 4])
    lam = torch.rand(6, dtype=torch.float64)
    one = MixPlan(partner, lam)
    mixed = Mixup().apply(one, X)
    gap = equivariance_gap(mixed.tanh(), X.tanh(), one)
    swapped = equivariance_gap(mixed.tanh(), X.tanh()[partner], MixPlan(partner, 1 - lam))
    torch.testing.assert_close(gap, swapped)
    scaled = equivariance_gap(3 * mixed.tanh(), 3 * X.tanh(), one)
    torch.testing.assert_close(scaled, 9 * gap)


def test_every_sample_has_its_own_lam_over_all_its_features():
    plan, clean = random_plan(), torch.randn(6, 2, 3, dtype=torch.float64)
    lam = plan.lam.view(6, 1, 1)
    exact = lam * clean + (1 - lam) * clean[plan.partner]
    assert equivariance_gap(exact, clean, plan) < 1e-30


@pytest.mark.parametrize("layer", [None, "1"])
def test_the_loss_is_that_of_mixup_plus_the_weighted_gap(layer):
    recipe, model = SemanticEquivariantMixup(eta=0.7, layer=layer), network()
    plan = plan_of(recipe)
    mixed = Mixup().apply(plan, X)
    encode = model[:2]
    expected = Mixup().target(plan, Y).cross_entropy(model(mixed)) + 0.7 * equivariance_gap(
        encode(mixed), encode(X), plan
    )
    torch.testing.assert_close(recipe.objective(model, X, Y, plan), expected)


def test_weight_zero_is_mixup_bit_for_bit():
    recipe, model = SemanticEquivariantMixup(eta=0), network()
    plan = plan_of(recipe)
    assert torch.equal(recipe.objective(model, X, Y, plan), Mixup().objective(model, X, Y, plan))


def test_an_affine_network_is_trained_by_the_cross_entropy_alone():
    recipe, model = SemanticEquivariantMixup(eta=5.0), network(affine=True)
    plan = plan_of(recipe)
    torch.testing.assert_close(recipe.objective(model, X, Y, plan), Mixup().objective(model, X, Y, plan))


def test_a_stopped_gradient_does_not_reach_the_clean_branch():
    plan = random_plan()
    for setting, flows in (("flow", True), ("stop", False)):
        recipe = SemanticEquivariantMixup(eta=1.0, layer="0", clean_gradient=setting)
        x_both = recipe.apply(plan, X).requires_grad_()
        recipe.mixed_loss(network(), x_both, Y, plan).backward()
        assert bool((x_both.grad[:6] != 0).any()) is flows
        assert (x_both.grad[6:] != 0).any()


def test_a_constant_encoder_has_no_gap_either_so_that_the_cross_entropy_must_stay():
    assert gap_of(lambda x: torch.ones_like(x), random_plan()) < 1e-30
    recipe, model = SemanticEquivariantMixup(eta=1.0), network()
    with torch.no_grad():
        model[0].weight.zero_()
    assert recipe.objective(model, X, Y, plan_of(recipe)) > 0.5


def test_training_with_the_term_lowers_the_gap():
    gaps = []
    for eta in (0.0, 10.0):
        model, recipe = network(), SemanticEquivariantMixup(eta=eta)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for step in range(60):
            optimizer.zero_grad()
            recipe.objective(model, X, Y, plan_of(recipe, step)).backward()
            optimizer.step()
        # On mixtures that were never trained on.
        gaps.append(float(torch.stack([gap_of(model[:2], random_plan(seed)) for seed in range(10)]).mean().detach()))
    assert gaps[1] < gaps[0] / 2


def test_bad_parameters_and_layers_are_refused():
    with pytest.raises(ConfigError, match=r"^eta = -1"):
        SemanticEquivariantMixup(eta=-1)
    with pytest.raises(ConfigError, match=r"^clean_gradient = 'off'"):
        SemanticEquivariantMixup(clean_gradient="off")
    recipe = SemanticEquivariantMixup(layer="9")
    with pytest.raises(ConfigError, match="known: 0, 1, 2, input"):
        recipe.objective(network(), X, Y, plan_of(recipe))
    with pytest.raises(ConfigError, match="mixes inside the model"):
        SemanticEquivariantMixup()(X, Y)


def test_a_layer_that_is_called_twice_is_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.head(self.layer(self.layer(x)))

    recipe = SemanticEquivariantMixup(layer="layer")
    with pytest.raises(ConfigError, match="this one was called 2 times"):
        recipe.objective(Twice().double(), X, Y, plan_of(recipe))


def test_the_usual_loss_of_a_subclass_is_its_loss_whatever_the_weight_of_the_second_term():
    class Squared(SemanticEquivariantMixup):
        usual_loss = SquaredError()

    model, x, y = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), torch.randn(6, 3), torch.randint(2, (6,))
    plan = Mixup().plan(Mixup().draw(Streams(), 6))
    with_term, without = (Squared(eta=eta).objective(model, x, y, plan) for eta in (1e-12, 0))
    torch.testing.assert_close(with_term, without)
