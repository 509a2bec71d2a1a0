import pytest
import torch
import torch.nn.functional as F
from torch import nn

from overmix.errors import DataError
from overmix.mix import BetaCoefficient, MixPlan, SelectivePairing, Streams
from overmix.recipes import PromptMixup

CLASSES, WIDTH, SCALE = 4, 8, 20.0


class PromptClassifier(nn.Module):
    """Cosines of image features with learned text features, times a scale."""

    def __init__(self, text):
        super().__init__()
        self.text = nn.Parameter(text.clone())

    def forward(self, features):
        return SCALE * features @ F.normalize(self.text, dim=1).T


def problem(batch_size=8, seed=0):
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(batch_size) % CLASSES
    return torch.randn(batch_size, WIDTH, generator=g), y, torch.randn(CLASSES, WIDTH, generator=g)


def plan_of(recipe, y, step=0):
    return recipe.plan(recipe.draw(Streams(1), len(y), step=step), y)


def test_it_is_pairs_of_different_classes_and_one_beta_lam():
    recipe = PromptMixup(0.5)
    assert recipe.pairing == SelectivePairing("different")
    assert recipe.coefficient == BetaCoefficient(0.5, "batch")


def test_partners_have_another_class_and_mixtures_have_length_one():
    v, y, _ = problem()
    recipe = PromptMixup()
    for step in range(20):
        plan = plan_of(recipe, y, step)
        assert (y[plan.partner] != y).all()
        mixed = recipe.apply(plan, 7 * v)
        torch.testing.assert_close(mixed.norm(dim=1), torch.ones(8))
        unit = F.normalize(v, dim=1)
        direction = plan.lam[:, None] * unit + (1 - plan.lam[:, None]) * unit[plan.partner]
        torch.testing.assert_close(mixed, F.normalize(direction, dim=1))


def test_the_objective_is_cross_entropy_against_the_mixed_label():
    v, y, text = problem()
    recipe, model = PromptMixup(), PromptClassifier(text)
    plan = plan_of(recipe, y)
    soft = plan.lam[:, None] * torch.eye(CLASSES)[y] + (1 - plan.lam[:, None]) * torch.eye(CLASSES)[y[plan.partner]]
    expected = F.cross_entropy(model(recipe.apply(plan, v)), soft)
    torch.testing.assert_close(recipe.objective(model, v, y, plan), expected)


def test_lam_one_is_plain_cross_entropy_with_unit_features():
    v, y, text = problem()
    recipe, model = PromptMixup(alpha=0), PromptClassifier(text)
    expected = F.cross_entropy(model(F.normalize(v, dim=1)), y)
    torch.testing.assert_close(recipe.objective(model, v, y, plan_of(recipe, y)), expected)
    x, target = recipe.unmixed(v, y)
    torch.testing.assert_close(target.cross_entropy(model(x)), expected)


@pytest.mark.parametrize(("lam", "winner"), [(0.49, 1), (0.51, 0)])
def test_with_orthonormal_classes_the_prediction_flips_at_one_half(lam, winner):
    text = torch.eye(CLASSES, WIDTH)
    plan = MixPlan(torch.tensor([1, 0]), torch.full((2,), lam))
    mixed = PromptMixup().apply(plan, text[:2])
    assert PromptClassifier(text)(mixed)[0].argmax() == winner


def test_only_the_prompts_get_a_gradient():
    v, y, text = problem()
    recipe, model = PromptMixup(), PromptClassifier(text)
    recipe.objective(model, v, y, plan_of(recipe, y)).backward()
    assert model.text.grad.abs().sum() > 0
    assert not v.requires_grad


def test_the_frozen_features_are_not_changed():
    v, y, _ = problem()
    before = v.clone()
    PromptMixup()(v, y)[0].zero_()
    assert torch.equal(v, before)


def test_classes_are_needed():
    with pytest.raises(DataError, match="pairs are made by class"):
        PromptMixup()(torch.randn(4, WIDTH), torch.rand(4))
