import pytest
import torch
from torch import nn

from overmix.errors import ConfigError
from overmix.mix import BetaCoefficient, HiddenSpace, RandomPairing, Streams
from overmix.recipes import ManifoldMixup, Mixup

X, Y = torch.randn(6, 4), torch.tensor([0, 1, 2, 1, 0, 2])


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


def plan_of(recipe, step=0):
    return recipe.plan(recipe.draw(Streams(3), 6, step=step), Y)


def test_it_is_random_pairs_one_beta_lam_and_hidden_layers():
    recipe = ManifoldMixup(0.5, layers=["input", "0"])
    assert recipe.pairing == RandomPairing()
    assert recipe.coefficient == BetaCoefficient(0.5, "batch")
    assert recipe.space == HiddenSpace(("input", "0"))
    assert recipe.needs == {"hidden"}


def test_with_the_input_alone_it_is_mixup_bit_for_bit():
    ours, mixup = ManifoldMixup(1.0), Mixup(1.0)
    assert ours.needs == frozenset()
    for step in range(5):
        plan, plain = plan_of(ours, step), plan_of(mixup, step)
        assert torch.equal(ours.apply(plan, X), mixup.apply(plain, X))
        assert torch.equal(ours.target(plan, Y).soft(3), mixup.target(plain, Y).soft(3))
        model = network()
        assert torch.equal(ours.objective(model, X, Y, plan), mixup.objective(model, X, Y, plain))


@pytest.mark.parametrize("step", range(6))
def test_the_objective_mixes_one_hidden_state_and_the_labels_alike(step):
    recipe, model = ManifoldMixup(1.0, layers=("input", "1")), network()
    plan = plan_of(recipe, step)

    def mixed(h):
        return plan.lam[:, None] * h + (1 - plan.lam[:, None]) * h[plan.partner]

    hidden = model[1](model[0](X))
    logits = model(mixed(X)) if plan.choice[0] == 0 else model[2](mixed(hidden))
    expected = nn.functional.cross_entropy(logits, recipe.target(plan, Y).soft(3))
    torch.testing.assert_close(recipe.objective(model, X, Y, plan), expected)


def test_its_gradients_reach_the_layers_below_the_place():
    recipe, model = ManifoldMixup(1.0, layers=("1",)), network()
    recipe.objective(model, X, Y, plan_of(recipe)).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_a_batch_alone_cannot_be_mixed():
    with pytest.raises(ConfigError, match=r"ManifoldMixup.*mixes inside the model"):
        ManifoldMixup(layers=("0",))(X, Y)


def test_a_layer_that_does_not_exist_is_refused_before_the_model_runs():
    recipe = ManifoldMixup(layers=("layer1",))
    with pytest.raises(ConfigError, match=r"^layers = 'layer1': .*known: 0, 1, 2, input"):
        recipe.objective(network(), X, Y, plan_of(recipe))


@pytest.mark.parametrize("layers", [(), "0", ("0", "0")])
def test_bad_layers_are_refused(layers):
    with pytest.raises(ConfigError, match=r"^layers = "):
        ManifoldMixup(layers=layers)
