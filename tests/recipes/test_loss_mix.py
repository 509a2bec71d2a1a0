import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import overmix
from overmix.errors import ConfigError, DataError
from overmix.mix import MixPlan, Streams
from overmix.recipes import LossMix, Mixup, PairTarget


def gradients(loss, output):
    return torch.autograd.grad(loss, output)[0]


@given(st.integers(1, 6), st.integers(0, 2**31))
def test_for_cross_entropy_it_is_label_mixing(batch_size, seed):
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch_size, 4, generator=g, dtype=torch.float64)
    y = torch.randint(4, (batch_size,), generator=g)
    plan = MixPlan(torch.randperm(batch_size, generator=g), torch.rand(batch_size, generator=g))
    losses = LossMix().target(plan, y).loss(lambda z, t: F.cross_entropy(z, t, reduction="none"), logits)
    labels = F.cross_entropy(logits, Mixup().target(plan, y).soft(4).double())
    torch.testing.assert_close(losses, labels, rtol=1e-6, atol=1e-6)


@given(st.integers(1, 6), st.floats(0, 1), st.integers(0, 2**31))
def test_for_squared_errors_the_gradient_is_that_of_label_mixing_and_the_value_larger_by_the_spread(width, lam, seed):
    g = torch.Generator().manual_seed(seed)
    a, b, output = torch.randn(3, width, generator=g, dtype=torch.float64)
    output = output[None].requires_grad_()
    share = torch.tensor([lam], dtype=torch.float64)
    two_losses = PairTarget(a[None], b[None], share).loss(lambda o, y: (o - y).square().sum(1), output)
    one_label = (output - (lam * a + (1 - lam) * b)).square().sum()
    torch.testing.assert_close(gradients(two_losses, output), gradients(one_label, output), rtol=1e-12, atol=1e-12)
    spread = lam * (1 - lam) * (a - b).square().sum()
    torch.testing.assert_close(two_losses - one_label, spread, rtol=1e-12, atol=1e-12)


def test_for_absolute_errors_the_gradients_differ():
    # Where the prediction lies between the two labels, two losses pull both ways, by lam and 1 - lam.
    a = torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.0]])
    b = torch.tensor([[2.0, 2.0, 0.0, -1.0, 2.0]])
    output = torch.tensor([[0.0, 0.0, 2.0, 0.5, 0.0]], requires_grad=True)
    lam = torch.tensor([0.3])
    two_losses = PairTarget(a, b, lam).loss(lambda o, y: (o - y).abs().sum(1), output)
    one_label = (output - (0.3 * a + 0.7 * b)).abs().sum()
    torch.testing.assert_close(gradients(two_losses, output), torch.tensor([[-1.0, -1.0, 1.0, 0.4, -1.0]]))
    torch.testing.assert_close(gradients(one_label, output), torch.tensor([[-1.0, -1.0, 1.0, 1.0, -1.0]]))


@pytest.mark.parametrize("name", ["l1", "mse", "smooth_l1"])
def test_the_objective_is_the_mixture_of_two_losses_of_one_output(name):
    criterion = {"l1": F.l1_loss, "mse": F.mse_loss, "smooth_l1": F.smooth_l1_loss}[name]
    x, y, model = torch.randn(5, 3), torch.randn(5, 2), nn.Linear(3, 2)
    recipe = LossMix(criterion=name, per="sample")
    plan = recipe.plan(recipe.draw(Streams(1), 5), y)
    output = model(plan.lam[:, None] * x + (1 - plan.lam[:, None]) * x[plan.partner])
    own, other = (criterion(output, side, reduction="none").mean(1) for side in (y, y[plan.partner]))
    expected = (plan.lam * own + (1 - plan.lam) * other).mean()
    torch.testing.assert_close(recipe.objective(model, x, y, plan), expected)


def test_lam_one_is_the_plain_loss_and_swapping_sides_changes_nothing():
    y, output, lam = torch.randn(4, 2), torch.randn(4, 2), torch.rand(4)
    absolute = nn.L1Loss(reduction="none")
    partner = torch.tensor([1, 0, 3, 2])
    plain = LossMix().target(MixPlan(partner, torch.ones(4)), y).loss(absolute, output)
    torch.testing.assert_close(plain, F.l1_loss(output, y))
    one = PairTarget(y, y[partner], lam).loss(absolute, output)
    other = PairTarget(y[partner], y, 1 - lam).loss(absolute, output)
    torch.testing.assert_close(one, other)


def boxes_loss(output, labels):
    """A toy detector: a background score for images without boxes, squared distance to every box otherwise."""
    losses = []
    for row, label in zip(output, labels, strict=True):
        boxes = label["boxes"]
        losses.append(row.square().sum() if len(boxes) == 0 else (row - boxes).square().sum())
    return torch.stack(losses)


def test_labels_with_any_number_of_objects_are_kept_whole():
    y = [{"boxes": torch.rand(n, 4)} for n in (2, 0, 5, 1)]
    x, output = torch.rand(4, 3, 8, 8), torch.rand(4, 4, requires_grad=True)
    mixed, target = LossMix(per="sample")(x, y, generator=torch.Generator().manual_seed(0))
    assert mixed.shape == x.shape
    assert all(own is label for own, label in zip(target.a, y, strict=True))
    places = [next(j for j, label in enumerate(y) if label is other) for other in target.b]
    assert sorted(places) == [0, 1, 2, 3]
    expected = torch.stack(
        [
            target.lam[i] * boxes_loss(output[i : i + 1], [y[i]])[0]
            + (1 - target.lam[i]) * boxes_loss(output[i : i + 1], [y[places[i]]])[0]
            for i in range(4)
        ]
    ).mean()
    torch.testing.assert_close(target.loss(boxes_loss, output), expected)


def test_an_image_without_boxes_adds_its_background_loss_only():
    output = torch.rand(1, 4)
    empty, full = {"boxes": torch.zeros(0, 4)}, {"boxes": torch.rand(3, 4)}
    found = PairTarget([full], [empty], torch.tensor([0.25])).loss(boxes_loss, output)
    expected = 0.25 * (output - full["boxes"]).square().sum() + 0.75 * output.square().sum()
    torch.testing.assert_close(found, expected)


def test_ragged_labels_go_through_plan_objective_and_off():
    y = [{"boxes": torch.rand(n, 4)} for n in (2, 0, 1)]
    x, model = torch.rand(3, 6), nn.Linear(6, 4)
    recipe = LossMix(criterion=boxes_loss)
    plan = recipe.plan(recipe.draw(Streams(2), 3))
    assert plan.alone.tolist() == [True, False, False]
    assert all(other is y[j] for other, j in zip(recipe.target(plan, y).b, plan.partner.tolist(), strict=True))
    expected = recipe.target(plan, y).loss(boxes_loss, model(recipe.apply(plan, x)))
    torch.testing.assert_close(recipe.objective(model, x, y, plan), expected)
    same, target = recipe.unmixed(x, y)
    assert same is x
    torch.testing.assert_close(target.loss(boxes_loss, model(x)), boxes_loss(model(x), y).mean())
    with pytest.raises(DataError, match="y has 2 labels, but the plan is for a batch of 3"):
        recipe.target(plan, y[:2])


def test_off_it_takes_a_dictionary_of_labels_as_on():
    x, y = torch.rand(4, 3), {"width": torch.rand(4), "kind": torch.arange(4)}
    run = overmix.Epochs(2, mix=LossMix(), switch=overmix.off_at(1))
    on, off = (epoch.mix(x, y)[1] for epoch in run)
    assert on.keys() == off.keys() == y.keys()
    assert torch.equal(off["width"].loss(nn.L1Loss(reduction="none"), x[:, 0]), F.l1_loss(x[:, 0], y["width"]))


def test_ignored_labels_are_in_no_mean_mixed_or_off():
    y, x = torch.tensor([0, -100, -100, 2]), torch.randn(4, 3)
    recipe, model = LossMix(criterion="cross_entropy"), nn.Identity()
    plan = MixPlan(torch.tensor([0, 1, 2, 0]), torch.full((4,), 0.3))
    torch.testing.assert_close(recipe.objective(model, x, y, plan), Mixup().objective(model, x, y, plan))
    torch.testing.assert_close(recipe.objective(model, x, y, None), F.cross_entropy(x, y))


def test_a_list_of_labels_is_mixed_on_the_device_of_the_images(monkeypatch):
    images, labels = torch.rand(3, 2, device="meta"), ["a", "b", "c"]
    assert LossMix().unmixed(images, labels)[1].lam.device == images.device
    # Which partner's label it is waits for the device, and nothing is there to wait for.
    monkeypatch.setattr(LossMix, "target", lambda recipe, plan, y: plan)
    for mix in (LossMix(), next(iter(overmix.Epochs(1, mix=LossMix()))).mix):
        mixed, plan = mix(images, labels)
        assert mixed.device == plan.partner.device == plan.lam.device == images.device


def test_shares_of_samples_need_losses_of_samples():
    target = PairTarget([1, 2], [2, 1], torch.rand(2))
    with pytest.raises(ConfigError, match="return one loss per sample"):
        target.loss(lambda output, y: output.mean(), torch.rand(2))


def test_bad_criteria_and_labels_are_refused():
    with pytest.raises(ConfigError, match=r"^criterion = 'l2': .*known: cross_entropy, l1, mse, smooth_l1"):
        LossMix(criterion="l2")
    with pytest.raises(ConfigError, match=r"^criterion = 3: use one of"):
        LossMix(criterion=3)
    with pytest.raises(DataError, match="y must be a tensor"):
        LossMix()(torch.rand(2, 2), 5)
    with pytest.raises(DataError, match="give one label per sample"):
        LossMix()(torch.rand(2, 2), [1, 2, 3])


@pytest.mark.parametrize("criterion", ["l1", "mse", "smooth_l1", nn.L1Loss(reduction="none")])
def test_classes_are_not_compared_with_the_outputs_of_other_samples(criterion):
    recipe, model, x = LossMix(criterion=criterion), nn.Linear(3, 4), torch.rand(4, 3)
    y = torch.arange(4)  # as many samples as classes: (B,) against (B, C) would be broadcast
    plan = recipe.plan(recipe.draw(Streams(), batch_size=4), y)
    with pytest.raises(DataError, match=r"output has shape \(4, 4\) but y has \(4,\).* a cross-entropy for classes"):
        recipe.objective(model, x, y, plan)
    with pytest.raises(DataError, match=r"output has shape \(4, 4\) but y has list"):
        recipe.objective(model, x, [0, 1, 2, 3], plan)
