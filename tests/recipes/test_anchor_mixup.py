import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from overmix.errors import ConfigError, DataError
from overmix.mix import MixPlan, SideInfo, StreamCursor, Streams
from overmix.recipes import AnchorMixup
from overmix.recipes.anchor_mixup import AnchorCoefficient, AnchorPairing, reverse_rank_counts

# An imbalanced label: most values near 0, few near 1.
Y = torch.cat([torch.linspace(0, 0.2, 40), torch.tensor([0.45, 0.5, 0.55, 0.9, 1.0])])
H = torch.randn(45, 3)
SIDE = SideInfo(y=Y)


def plan_of(recipe, step=0):
    return recipe.plan(recipe.draw(StreamCursor(Streams(1)), len(Y), step=step), Y)


def test_counts_are_given_to_the_intervals_in_the_opposite_order_of_rank():
    assert reverse_rank_counts(torch.tensor([50, 3, 20, 1, 10])).tolist() == [1, 20, 3, 50, 10]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9))
def test_reversed_counts_are_a_permutation_that_gives_the_rarest_the_most_and_empty_intervals_nothing(counts):
    found = reverse_rank_counts(torch.tensor(counts)).tolist()
    assert sorted(found) == sorted(counts)
    assert all((amount == 0) == (count == 0) for amount, count in zip(found, counts, strict=True))
    occupied = [(count, amount) for count, amount in zip(counts, found, strict=True) if count]
    for count, amount in occupied:
        assert all(other_amount <= amount for other, other_amount in occupied if other > count)


def test_reversed_counts_make_the_sum_flatter():
    counts = torch.tensor([50, 3, 20, 1, 10])
    total = counts + reverse_rank_counts(counts)
    assert total.tolist() == [51, 23, 23, 51, 20]
    assert total.double().std() / total.double().mean() < counts.double().std() / counts.double().mean()


def test_intervals_have_one_width_and_centres_in_their_middle():
    pairing = AnchorPairing(5)
    torch.testing.assert_close(pairing.centres(Y), torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9]))
    assert pairing.interval_of(torch.tensor([0.0, 0.19, 0.41, 1.0]).double()).tolist() == [0, 0, 2, 4]
    assert pairing.interval_of(Y).bincount(minlength=5).tolist() == [39, 1, 3, 0, 2]


def test_anchors_are_the_exact_means_of_their_intervals():
    pairing = AnchorPairing(5)
    means, interval = pairing.means(H, Y), pairing.interval_of(Y)
    for i in (0, 1, 2, 4):
        torch.testing.assert_close(means[i], H[interval == i].mean(0))
    assert (means[3] == 0).all()
    assert pairing.means(H.view(45, 1, 3), Y).shape == (5, 1, 3)


def test_rare_intervals_get_the_most_anchors_and_empty_ones_none():
    pairing, cursor = AnchorPairing(5), StreamCursor(Streams(2))
    drawn = [pairing.draw(cursor.generator("pairing", step=step), len(Y)) for step in range(40)]
    found = torch.cat([pairing.anchor(d, SIDE) for d in drawn]).bincount(minlength=5).numpy()
    amounts = reverse_rank_counts(pairing.interval_of(Y).bincount(minlength=5)).numpy()
    assert amounts.tolist() == [1, 39, 2, 0, 3]
    assert found[3] == 0
    occupied = amounts > 0
    assert stats.chisquare(found[occupied], found.sum() * amounts[occupied] / amounts.sum()).pvalue > 1e-3


def test_partners_are_among_the_samples_nearest_in_label_to_the_anchor():
    pairing, cursor = AnchorPairing(5), StreamCursor(Streams(3))
    amounts = reverse_rank_counts(pairing.interval_of(Y).bincount(minlength=5))
    for step in range(20):
        drawn = pairing.draw(cursor.generator("pairing", step=step), len(Y))
        anchor = pairing.anchor(drawn, SIDE)
        partner = pairing.partner_of(anchor, drawn, SIDE)
        assert torch.equal(pairing.partner(drawn, SIDE), partner)
        for a, j in zip(anchor.tolist(), partner.tolist(), strict=True):
            distance = (Y - pairing.centres(Y)[a]).abs()
            nearest = distance.sort().values[: amounts[a]]
            assert distance[j] <= nearest[-1]


def test_lam_is_at_least_a_half_and_skewed_to_the_anchor():
    law, cursor = AnchorCoefficient(5.0, 8), StreamCursor(Streams(1))
    lam = np.concatenate([law.draw(cursor.generator("coefficient", step=s), 3).numpy() for s in range(1500)])
    assert lam.min() >= 0.5
    assert lam.mean() == pytest.approx(0.8387, abs=4 * lam.std() / np.sqrt(lam.size))
    assert (lam > 0.9).mean() == pytest.approx(0.409, abs=4 * 0.5 / np.sqrt(lam.size))


def test_latents_of_one_anchor_share_their_lam():
    plan = plan_of(AnchorMixup(intervals=5))
    for anchor in plan.choice.unique():
        assert len(plan.lam[plan.choice == anchor].unique()) == 1
    assert len(plan.lam.unique()) > 1


def test_latents_and_values_are_mixed_by_the_formula_and_stay_near_their_anchor():
    recipe = AnchorMixup(intervals=5)
    plan, pairing = plan_of(recipe), AnchorPairing(5)
    latents, values = recipe.latents(H, Y, plan)
    anchors, centres = pairing.means(H, Y)[plan.choice], pairing.centres(Y)[plan.choice]
    lam = plan.lam
    torch.testing.assert_close(latents, lam[:, None] * anchors + (1 - lam[:, None]) * H[plan.partner])
    torch.testing.assert_close(values, lam * centres + (1 - lam) * Y[plan.partner])
    assert ((values - centres).abs() <= 0.5 * (Y[plan.partner] - centres).abs() + 1e-6).all()


def test_lam_one_gives_the_anchor_itself():
    recipe, pairing = AnchorMixup(intervals=5), AnchorPairing(5)
    plan = plan_of(recipe)
    whole = MixPlan(plan.partner, torch.ones(45), choice=plan.choice)
    latents, values = recipe.latents(H, Y, whole)
    assert torch.equal(latents, pairing.means(H, Y)[plan.choice])
    assert torch.equal(values, pairing.centres(Y)[plan.choice])


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))


@pytest.mark.parametrize(("layer", "place"), [(None, 4), ("1", 2), ("3", 4)])
@pytest.mark.parametrize("shape", [(45,), (45, 1)])
def test_the_loss_is_that_of_the_clean_samples_plus_the_weighted_one_of_the_latents(layer, place, shape):
    recipe, model = AnchorMixup(intervals=5, weight=0.6, layer=layer), network()
    plan = recipe.plan(recipe.draw(Streams(1), 45), Y.view(shape))
    latents, values = recipe.latents(model[:place](H), Y, plan)
    expected = F.l1_loss(model(H).squeeze(1), Y) + 0.6 * F.l1_loss(model[place:](latents).squeeze(1), values)
    torch.testing.assert_close(recipe.objective(model, H, Y.view(shape), plan), expected)


def test_latents_send_no_gradient_to_the_encoder():
    model, gradients = network(), []
    for weight in (0.0, 5.0):
        model.zero_grad()
        recipe = AnchorMixup(intervals=5, weight=weight, layer="1")
        recipe.objective(model, H, Y, plan_of(recipe)).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    encoder, decoder = slice(0, 2), slice(2, None)
    for plain, with_latents in zip(*(g[encoder] for g in gradients), strict=True):
        torch.testing.assert_close(plain, with_latents)
    assert any(not torch.allclose(a, b) for a, b in zip(*(g[decoder] for g in gradients), strict=True))


def test_labels_without_a_range_share_one_anchor():
    recipe, y = AnchorMixup(intervals=5), torch.full((4,), 2.0)
    plan = recipe.plan(recipe.draw(Streams(1), 4), y)
    assert (plan.choice == 0).all()
    assert torch.isfinite(recipe.objective(network(), H[:4], y, plan))


def test_the_batch_and_its_target_are_clean():
    recipe = AnchorMixup(intervals=5)
    plan = plan_of(recipe)
    assert recipe.apply(plan, H) is H
    target = recipe.target(plan, Y)
    assert torch.equal(target.a, Y)
    assert (target.lam == 1).all()


def test_wrong_labels_plans_and_draws_are_refused():
    for y in (torch.arange(4), torch.rand(4, 2)):
        with pytest.raises(DataError, match="anchors are made by label, but y is of dtype"):
            AnchorMixup().plan(AnchorMixup().draw(Streams(), 4), y)
    with pytest.raises(DataError, match="it has no anchors"):
        AnchorMixup().latents(H, Y, MixPlan.identity(45))
    with pytest.raises(DataError, match="these draws are of another recipe"):
        AnchorMixup(intervals=3).plan(AnchorMixup(intervals=4).draw(Streams(), 4), Y[:4])
    with pytest.raises(ConfigError, match="mixes inside the model"):
        AnchorMixup()(H, Y)


@pytest.mark.parametrize(("field", "value"), [("alpha", 0), ("intervals", 0), ("intervals", 2.5), ("weight", -1)])
def test_bad_parameters_are_refused(field, value):
    with pytest.raises(ConfigError, match=rf"^{field} = "):
        AnchorMixup(**{field: value})
