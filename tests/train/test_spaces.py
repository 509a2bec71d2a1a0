"""Recipes that mix elsewhere than linearly in the input: patches, hidden layers, one of several."""

import numpy as np
import pytest
import torch

import overmix
from overmix.errors import ConfigError
from overmix.recipes import CutMix, ManifoldMixup, Mixup, NoMixup, OneOf
from overmix.switch import Progress, mixes
from overmix.train import METRICS, SGD
from overmix.train.stacked_model import seeded_model

RECIPES = {
    "cutmix": CutMix(axes=1),
    "cutmix_per_sample": CutMix(axes=1, per="sample"),
    "manifold": ManifoldMixup(layers=("input", "0", "1")),
    "one_of": OneOf(Mixup(alpha=0.5), CutMix(axes=1)),
    "one_of_hidden": OneOf(NoMixup(), ManifoldMixup(layers=("1",))),
}


def by_hand(own, run, factory):
    """Train as a user would: one model, the recipe's own objective, torch's optimizer."""
    stats = own.normalization
    x, y = (own.data.x.float() - stats.mean[0]) / stats.std[0], own.data.y
    model = seeded_model(factory, run.streams.torch_seed("init"))
    optimizer = torch.optim.SGD(model.parameters(), lr=run.lr, momentum=0.9)
    for epoch in range(own.epochs):
        order = run.streams.generator("order", epoch=epoch).permutation(run.train_index)
        for step, index in enumerate(torch.from_numpy(order[:36]).split(12)):
            recipe = run.recipe
            if not mixes(run.schedule, Progress(epoch, own.epochs, step), run.streams):
                recipe = NoMixup()
            draws = recipe.draw(run.streams, 12, epoch=epoch, step=step)
            plan = recipe.plan(draws, y[index], sample_shape=tuple(x.shape[1:]))
            optimizer.zero_grad()
            recipe.objective(model, x[index], y[index], plan).backward()
            optimizer.step()
    return {name: p.detach() for name, p in model.named_parameters()}


@pytest.mark.parametrize("execution", ["stacked", "looped"])
@pytest.mark.parametrize("name", RECIPES)
def test_the_engine_trains_as_the_recipes_objective_in_a_plain_loop(replica, training, models, name, execution):
    runs = [
        replica(3, recipe=RECIPES[name]),
        replica(4, recipe=RECIPES[name], schedule=overmix.off_at(2)),
    ]
    own = training(runs, models["mlp"], execution)
    own.train()
    for r, run in enumerate(runs):
        one = training([run], models["mlp"], execution)
        found = {key: p.detach()[r] for key, p in own.model.parameters.items()}
        torch.testing.assert_close(found, by_hand(one, run, models["mlp"]), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", RECIPES)
def test_off_from_the_start_is_erm(replica, training, models, name):
    off = training([replica(0, recipe=RECIPES[name], schedule=overmix.never())], models["mlp"]).train()
    erm = training([replica(0, recipe=NoMixup())], models["mlp"]).train()
    for metric in METRICS:
        np.testing.assert_allclose(off.metrics[metric], erm.metrics[metric], rtol=1e-6, atol=1e-7, err_msg=metric)
    assert (off.mixing == 0).all()


def test_mixing_inside_is_seen(replica, training, models):
    hidden = training([replica(0, recipe=ManifoldMixup(layers=("1",)))], models["mlp"]).train()
    inputs = training([replica(0, recipe=ManifoldMixup(layers=("input",)))], models["mlp"]).train()
    assert not np.allclose(hidden.mix_loss, inputs.mix_loss, rtol=1e-3)


def test_recipes_that_mix_in_different_places_do_not_share_a_stack(replica, training):
    with pytest.raises(
        ConfigError, match=r"^replicas = 2: give a stack recipes that mix in one place, and by one loss$"
    ):
        training([replica(0), replica(1, recipe=CutMix(axes=1))])


def test_a_layer_that_is_not_there_is_named(replica, training, models):
    with pytest.raises(ConfigError, match=r"^layers = 'layer1': "):
        training([replica(0, recipe=ManifoldMixup(layers=("layer1",)))], models["mlp"])


def test_nesterov_takes_the_general_path_and_agrees_without_momentum(replica, training, models):
    fast = training([replica(0)], models["mlp"], optimizer=SGD(momentum=0.0)).train()
    # Momentum so small that it changes nothing a float can see.
    general = training([replica(0)], models["mlp"], optimizer=SGD(momentum=1e-12, nesterov=True)).train()
    np.testing.assert_allclose(fast.mix_loss, general.mix_loss, rtol=1e-6)
