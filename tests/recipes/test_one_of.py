import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from overmix.errors import ConfigError, DataError
from overmix.mix import AbsoluteError, Draws, MixPlan, Recipe, Retrieval, Streams
from overmix.recipes import (
    CMixup,
    ConfidentMixup,
    CutMix,
    ManifoldMixup,
    Mixup,
    NoMixup,
    OneOf,
    PromptMixup,
    SKMixup,
)

X, Y = torch.randn(6, 3, 8, 8), torch.arange(6)


def plan_at(recipe, step):
    return recipe.plan(recipe.draw(Streams(5), 6, step=step), Y, sample_shape=X.shape[1:])


def test_every_batch_is_the_one_that_the_chosen_recipe_would_have_made():
    recipes = (Mixup(0.3, per="sample"), CutMix(1.0), NoMixup())
    both = OneOf(*recipes)
    seen = set()
    for step in range(40):
        plan = plan_at(both, step)
        chosen = recipes[int(plan.choice[0])]
        alone = plan_at(chosen, step)
        assert torch.equal(both.apply(plan, X), chosen.apply(alone, X))
        assert torch.equal(both.target(plan, Y).soft(6), chosen.target(alone, Y).soft(6))
        assert torch.equal(plan.partner, alone.partner)
        assert torch.equal(plan.lam, alone.lam)
        seen.add(type(chosen))
    assert len(seen) == 3


def test_recipes_are_chosen_with_their_probabilities():
    both = OneOf(Mixup(), CutMix(), NoMixup(), probs=(0.2, 0.5, 0.3))
    chosen = [int(both.draw(Streams(1), 1, step=step).choice[0]) for step in range(800)]
    assert stats.chisquare(np.bincount(chosen), 800 * np.array(both.probs)).pvalue > 1e-3


def test_the_choice_is_independent_of_what_else_is_drawn():
    # The gate of a schedule, a lam and a choice from one number would go hand in hand.
    both, streams = OneOf(Mixup(), CutMix()), Streams(1)
    draws = [both.draw(streams, 2, step=step) for step in range(1000)]
    choice = np.array([int(d.choice[0]) for d in draws])
    lam = np.array([float(d.parts[0].coefficient[0]) for d in draws])
    gate = np.array([streams.generator("gate", step=step).random() for step in range(1000)])
    centre = np.array([float(d.parts[1].space[0, 0]) for d in draws])
    for other in (lam, gate, centre):
        assert abs(np.corrcoef(choice, other)[0, 1]) < 0.1  # standard error 0.03


def test_a_nested_choice_gives_every_recipe_its_own_chance():
    nested = OneOf(OneOf(Mixup(), NoMixup(), probs=(0.25, 0.75)), CutMix(), probs=(0.8, 0.2))
    assert [type(recipe) for recipe in nested.recipes] == [Mixup, NoMixup, CutMix]
    assert nested.probs == pytest.approx((0.2, 0.6, 0.2))


def test_with_one_recipe_it_is_that_recipe():
    alone = OneOf(CutMix())
    for step in range(5):
        assert torch.equal(alone.apply(plan_at(alone, step), X), CutMix().apply(plan_at(CutMix(), step), X))


def test_stacked_draws_may_choose_differently():
    both = OneOf(Mixup(per="sample"), CutMix())
    draws = [both.draw(Streams(0, r), 6) for r in range(8)]
    assert len({int(d.choice[0]) for d in draws}) == 2
    plan = torch.func.vmap(lambda drawn: both.plan(drawn, sample_shape=X.shape[1:]))(Draws.stack(draws))
    mixed = both.apply(plan, X.expand(8, *X.shape))
    for r, drawn in enumerate(draws):
        alone = both.plan(drawn, sample_shape=X.shape[1:])
        assert torch.equal(mixed[r], both.apply(alone, X))


def test_hidden_layers_may_be_among_the_choices():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 6), torch.nn.Linear(6, 6))
    recipes = (Mixup(), ManifoldMixup(layers=("input", "1")))
    both = OneOf(*recipes)
    assert both.needs == {"hidden"}
    seen = set()
    for step in range(20):
        plan = plan_at(both, step)
        chosen = int(plan.choice[0])
        alone = plan_at(recipes[chosen], step)
        loss = recipes[chosen].objective(model, X, Y, alone)
        torch.testing.assert_close(both.objective(model, X, Y, plan), loss, atol=1e-7, rtol=1e-6)
        seen.add(chosen)
    assert seen == {0, 1}


def test_what_any_recipe_needs_is_needed():
    class NeedsDomain(Mixup):
        asks = frozenset({"domain"})

    assert OneOf(Mixup(), NeedsDomain()).needs == {"domain"}


def test_the_usual_loss_of_any_is_the_loss_of_all():
    x, y, model = torch.randn(6, 4), torch.randn(6, 3), torch.nn.Linear(4, 3)
    for both in (OneOf(CMixup(), NoMixup()), OneOf(Mixup(), OneOf(CMixup()))):
        plan = both.plan(both.draw(Streams(3), 6), y)
        loss = F.mse_loss(model(both.apply(plan, x)), both.target(plan, y).soft())
        torch.testing.assert_close(both.objective(model, x, y, plan), loss)
    assert OneOf(Mixup(), CutMix()).usual_loss is None

    class Absolute(Mixup):
        usual_loss = AbsoluteError()

    with pytest.raises(ConfigError, match="give recipes of one usual loss, not AbsoluteError\\(\\) and SquaredError"):
        OneOf(CMixup(), Absolute())


def test_a_recipe_with_its_own_objective_cannot_be_among_them():
    class Own(Mixup):
        def mixed_loss(self, model, x_mixed, y, plan):
            return model(x_mixed).mean()

    with pytest.raises(ConfigError, match="its objective is its own"):
        OneOf(Mixup(), Own())


@pytest.mark.parametrize("probs", [(0.5,), (0.5, 0.4), (1.5, -0.5), (float("nan"), 1.0), ("a", "b"), 5, (None, 1)])
def test_probabilities_that_do_not_fit_are_refused(probs):
    with pytest.raises(ConfigError, match=r"^probs = "):
        OneOf(Mixup(), CutMix(), probs=probs)


@pytest.mark.parametrize("recipes", [(), ("Mixup",), (Mixup,)])
def test_what_is_no_recipe_is_refused(recipes):
    with pytest.raises(ConfigError, match=r"^recipes = "):
        OneOf(*recipes)


def test_draws_of_another_recipe_are_refused():
    with pytest.raises(ConfigError, match=r"^draws = .*: draw them with this recipe"):
        OneOf(Mixup(), CutMix()).plan(Mixup().draw(Streams(), 3))


def test_its_plan_is_a_plan():
    plan = plan_at(OneOf(Mixup(), CutMix()), 0)
    assert isinstance(plan, MixPlan)
    assert isinstance(OneOf(Mixup()), Recipe)


MASKED = {"x": torch.randn(6, 3), "m": torch.rand(6, 3) > 0.5}


@pytest.mark.parametrize(
    ("recipe", "x"),
    [
        (lambda alpha: Mixup(alpha, masks="union"), MASKED),
        (lambda alpha: ManifoldMixup(alpha, layers=("0",)), Y),
        (CutMix, Y.view(6, 1, 1).expand(6, 4, 4)),
        (PromptMixup, torch.randn(6, 3)),
    ],
)
def test_off_a_batch_is_left_as_each_of_the_recipes_leaves_it(recipe, x):
    assert_close, both = torch.testing.assert_close, OneOf(recipe(1.0), recipe(0.2))
    assert_close(both.unmixed(x, Y)[0], recipe(1.0).unmixed(x, Y)[0])
    with pytest.raises(DataError, match=r"which is not mixed"):
        OneOf(Mixup(), CutMix()).unmixed(Y, Y)


def test_labels_are_made_of_predictions_and_features_taken_as_the_recipe_that_asks_for_them_says():
    y, output = torch.tensor([-100, 1]), torch.tensor([[9.0, 0.0], [0.0, 9.0]])
    both = OneOf(ConfidentMixup(threshold=0.5), NoMixup(), ConfidentMixup(0.2, threshold=0.5))
    assert both.relabelled(y, output).tolist() == [0, 1]
    assert OneOf(Mixup(), NoMixup()).relabelled(y, output) is y
    assert OneOf(SKMixup(layer="0"), Mixup()).feature_layer == "0"
    with pytest.raises(ConfigError, match=r"in one way, not ConfidentMixup\(threshold=0\.5\) and .*0\.6\)"):
        OneOf(ConfidentMixup(threshold=0.5), ConfidentMixup(threshold=0.6))
    with pytest.raises(ConfigError, match="give recipes whose features come from one layer"):
        OneOf(SKMixup(layer="0"), SKMixup())


def test_usual_losses_of_other_settings_are_two():
    class Two(Mixup):
        def __init__(self, temperature):
            super().__init__()
            self.usual_loss = Retrieval(temperature)

    assert OneOf(Two(0.1), Two(0.1)).usual_loss.temperature == 0.1
    with pytest.raises(ConfigError, match=r"not Retrieval\(temperature=0\.1\) and Retrieval\(temperature=0\.5\)"):
        OneOf(Two(0.1), Two(0.5))


def test_recipes_for_no_common_kind_of_labels_are_refused():
    assert OneOf(CMixup(), NoMixup()).for_labels == ("values", "rows")
    with pytest.raises(ConfigError, match="CMixup is for values or rows, PromptMixup is for classes"):
        OneOf(CMixup(), PromptMixup())


COMPILED = """
import torch
from overmix.mix import Streams
from overmix.recipes import CutMix, Mixup, OneOf
model, x, y = torch.nn.Linear(4, 6), torch.randn(6, 4), torch.arange(6)
for recipe in (OneOf(Mixup(), CutMix(axes=1)), CutMix(axes=1)):
    plan = recipe.plan(recipe.draw(Streams(), 6), sample_shape=(4,))
    objective = lambda x: recipe.objective(model, x, y, plan)
    assert torch.equal(torch.compile(objective, fullgraph=True, backend="eager")(x), objective(x))
"""


@pytest.mark.slow
def test_an_objective_of_several_compiles_as_one_graph():
    # In a process of its own, without the checks of shapes, which cannot be compiled.
    subprocess.run([sys.executable, "-W", "error", "-c", COMPILED], check=True)
