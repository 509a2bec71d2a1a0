"""Every registered recipe in the engine: on, it is the recipe's own objective in a plain loop; off, the plain loss.

A new recipe is tested by being registered.
"""

import numpy as np
import pytest
import torch
from torch import nn

import overmix
from overmix.errors import ConfigError
from overmix.mix import IGNORE_INDEX, Recipe
from overmix.mix.capture import captured
from overmix.recipes import CMixup, LossMix, Mixup, RegMixup, make_recipe, registered
from overmix.train import Normalization, ResidentData
from overmix.train.stacked_model import seeded_model

POOL, TEST, TRAIN, BATCH, FEATURES = 60, 20, 48, 16, 6
OWN_LOOP = {"M3Co"}  # its model is of several modalities
NAMES = sorted(registered().keys() - OWN_LOOP)
PARAMETERS = {
    "ManifoldMixup": {"layers": ("input", "3")},
    "GroupedMixCo": {"temperature": 0.1},
    "BiMixCo": {"temperature": 0.1},
    "MixCo": {"temperature": 0.1},
    "SoftCLIP": {"temperature": 0.1},
    "ConfidentMixup": {"threshold": 0.4},
    "CutMix": {"axes": 1},
}
LABELS = {"CMixup": "values", "AnchorMixup": "values", "LossMix": "values"}
OUTPUTS = {"classes": 3, "rows": 3, "values": 2, "views": 4}


def labels_of(name):
    return "views" if "views" in make_recipe(name).needs else LABELS.get(name, "classes")


def data_of(labels, *, one_value=False, unlabelled=False):
    g = torch.Generator().manual_seed(7)
    x = torch.rand(POOL + TEST, FEATURES, generator=g) * 50
    y = {
        "classes": lambda: torch.randint(3, (POOL + TEST,), generator=g),
        "rows": lambda: torch.randint(2, (POOL + TEST, 3), generator=g).float(),
        "values": lambda: 100 + 20 * torch.randn(POOL + TEST, 1 if one_value else 2, generator=g),
        "views": lambda: torch.randn(POOL + TEST, 4, generator=g),
    }[labels]()
    if unlabelled:
        y[:TRAIN:2] = IGNORE_INDEX
    domain = torch.randint(2, (POOL,), generator=g)
    width = 1 if one_value else OUTPUTS[labels]
    return ResidentData(x[:POOL], y[:POOL], x[POOL:], y[POOL:], width, labels, domain)


def model_of(outputs):
    return lambda: nn.Sequential(
        nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 8), nn.Dropout(0.3), nn.Linear(8, outputs)
    )


def stack_of(name, replica, training, execution):
    recipe = make_recipe(name, **PARAMETERS.get(name, {}))
    data = data_of(labels_of(name), one_value=name == "AnchorMixup", unlabelled=name == "ConfidentMixup")
    index = np.arange(POOL)
    runs = [
        replica(seed, recipe=recipe, schedule=schedule, train_index=index[:TRAIN], val_index=index[TRAIN:])
        for seed, schedule in ((0, overmix.always()), (1, overmix.never()), (2, overmix.always()))
    ]
    factory = model_of(data.num_classes)
    return training(runs, factory, execution, data=data, batch_size=BATCH, epochs=2), factory


def by_hand(own, factory, r, step):
    """Do what a user does: one model, the recipe's own objective on a clean batch, torch's gradients."""
    run, data, loss = own.planner.replicas[r], own.data, own.objective
    plan, recipe = own.planner.epoch(0), run.recipe
    model = seeded_model(factory, run.streams.torch_seed("init")).train()
    for layer in model.modules():
        if hasattr(layer, "key"):
            layer.key, layer.calls = plan.dropout_keys[step, r], 0
    index = plan.index[step, r]
    x = (data.x[index] - own.normalization.mean[r]) / own.normalization.std[r]
    y = data.y[index]
    if data.labels == "values":
        known = data.y[run.train_index]
        y = (y - known.mean(0)) / known.std(0, correction=0)
    if r == 1:
        value = loss.losses(model(x), y, y, torch.ones(BATCH)).mean()
    else:
        side = {"domain": data.domain[index]}
        model.eval()
        with torch.no_grad(), captured(model, None) as seen:
            y = recipe.relabelled(y, model(x))
        side["features"] = seen[0]
        model.train()
        draws = recipe.draw(run.streams, BATCH, epoch=0, step=step)
        mixing = recipe.plan(draws, y, sample_shape=(FEATURES,), **side)
        value = recipe.objective(model, x, y, mixing, loss)
    gradients = torch.autograd.grad(value, list(model.parameters()))
    return value.detach(), gradients, dict(model.named_buffers())


@pytest.mark.parametrize("execution", ["stacked", "looped"])
@pytest.mark.parametrize("name", NAMES)
def test_on_is_the_recipes_own_objective_and_off_the_plain_loss_side_by_side(replica, training, name, execution):
    own, factory = stack_of(name, replica, training, execution)
    plan, step = own.planner.epoch(0), 1
    own.model.train()
    own.model.set_dropout_keys(plan.dropout_keys[step])
    batch = own.batches.of(plan, step, own.model)
    assert batch.on.tolist() == [True, False, True]
    losses = own.batches.loss(plan, step, batch, own.model)
    gradients = torch.autograd.grad(losses.sum(), own.model.trainable)
    for r in range(3):
        value, alone, buffers = by_hand(own, factory, r, step)
        torch.testing.assert_close(losses[r].detach(), value, rtol=1e-5, atol=1e-6)
        for of_stack, of_one in zip(gradients, alone, strict=True):
            torch.testing.assert_close(of_stack[r], of_one, rtol=1e-4, atol=1e-5)
        for key, buffer in buffers.items():
            if not key.endswith("key"):
                torch.testing.assert_close(own.model.buffers[key][r], buffer, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_it_trains_to_the_end_and_goes_on_from_a_saved_state(replica, training, name):
    first, _ = stack_of(name, replica, training, "stacked")
    states = []
    whole = first.train(after_step=lambda now: states.append(now.state_dict()))
    assert np.isfinite(whole.metrics["test_error"]).all()
    assert np.isfinite(whole.mix_loss).all()
    assert (whole.mix_floor <= whole.mix_loss + 1e-6).all()
    again, _ = stack_of(name, replica, training, "stacked")
    again.load_state_dict(states[2])
    result = again.train()
    np.testing.assert_array_equal(result.wrong, whole.wrong)
    np.testing.assert_array_equal(result.mix_floor, whole.mix_floor)


@pytest.mark.parametrize(("recipe", "labels"), [(Mixup(), "rows"), (RegMixup(), "rows"), (CMixup(), "values")])
def test_a_fused_step_and_the_general_one_agree_on_every_kind_of_label(replica, training, recipe, labels):
    data, index = data_of(labels), np.arange(POOL)
    runs = [replica(0, recipe=recipe, train_index=index[:TRAIN], val_index=index[TRAIN:])]

    def perceptron():
        return nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, data.num_classes))

    class Hidden(nn.Sequential):
        """The same, but not one that the fused step knows."""

    def general():
        return Hidden(*perceptron())

    results = [training(runs, factory, data=data, batch_size=BATCH).train() for factory in (perceptron, general)]
    for name in results[0].metrics:
        np.testing.assert_allclose(*(result.metrics[name] for result in results), rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("recipe", "change", "remedy"),
    [
        ("M3Co", {}, "train it in a loop of your own"),
        ("LISA", {"domain": None}, "give the npz an array domain"),
        ("BiMixCo", {}, "give the npz an array view"),
    ],
)
def test_the_single_thing_that_is_missing_is_named(replica, training, recipe, change, remedy):
    fields = {**vars(data_of("classes")), **change}
    run = replica(0, recipe=make_recipe(recipe), train_index=np.arange(TRAIN), val_index=np.arange(0))
    normalization = Normalization(torch.zeros(1, FEATURES), torch.ones(1, FEATURES))
    with pytest.raises(ConfigError, match=rf"^recipe = '{recipe}': .*{remedy}"):
        training([run], data=ResidentData(**fields), normalization=normalization)


def test_recipes_with_losses_of_their_own_share_a_stack_only_with_themselves(replica, training):
    assert training([replica(0, recipe=RegMixup()), replica(1, recipe=RegMixup())])
    with pytest.raises(ConfigError, match="by one loss"):
        training([replica(0, recipe=RegMixup()), replica(1, recipe=RegMixup(eta=0.5))])
    with pytest.raises(ConfigError, match="by one loss"):
        training([replica(0, recipe=LossMix(criterion="cross_entropy")), replica(1, recipe=Mixup())])


def test_values_are_learnt_in_their_own_standard_deviations_and_their_error_is_a_share_of_the_variance(
    replica, training
):
    data, index = data_of("values", one_value=True), np.arange(POOL)
    run = replica(0, recipe=CMixup(), train_index=index[:TRAIN], val_index=index[TRAIN:], lr=1e-12)
    own = training([run], model_of(1), data=data, batch_size=BATCH, epochs=1)
    result = own.train()
    own.model.eval()
    x = own.normalization.apply_(data.x_test[None].clone())
    known = data.y[:TRAIN]
    said = own.model(x)[0].detach() * known.std(0, correction=0) + known.mean(0)
    gap = (said - data.y_test).numpy()
    assert result.metrics["test_mae"][0, 0] == pytest.approx(np.abs(gap).mean(), rel=1e-4)
    assert result.metrics["test_error"][0, 0] == pytest.approx((gap**2).mean() / known.numpy().var(), rel=1e-4)
    np.testing.assert_allclose(result.wrong[0, 0], (gap**2)[:, 0] / known.numpy().var(), rtol=1e-3)


def test_what_is_said_to_run_is_what_is_tested_here():
    said = {name: entry.describe() for name, entry in registered().items()}
    assert {name: of["study"]["missing"] for name, of in said.items() if not of["study"]["runs"]}.keys() == OWN_LOOP
    assert len(NAMES) >= 17
    assert said["LISA"]["study"]["data"] == ["domain"]
    assert (said["LISA"]["off_doubt"], said["Mixup"]["off_doubt"]) == ("a shift between domains", "")


class OnlyADefault(Recipe):
    """Nothing of its own but a name."""


def test_what_a_recipe_redefines_is_what_makes_it_another(replica):
    assert OnlyADefault(Mixup().pairing, Mixup().coefficient).only_mixes
    assert not RegMixup().only_mixes
