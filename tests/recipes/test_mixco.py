import pytest
import torch
from torch import nn

from overmix.errors import ConfigError, DataError
from overmix.mix import (
    BetaCoefficient,
    ContrastiveTarget,
    GatedCoefficient,
    GroupPairing,
    RandomPairing,
    Retrieval,
    SelfPairing,
    SoftClipTarget,
    SquaredError,
    StreamCursor,
    Streams,
)
from overmix.recipes import BiMixCo, GroupedMixCo, MixCo, SoftCLIP

VOXELS, IMAGES = torch.randn(8, 9), torch.randn(8, 4)


@pytest.mark.parametrize(
    ("recipe", "pairing"), [(MixCo, RandomPairing()), (BiMixCo, RandomPairing()), (GroupedMixCo, GroupPairing())]
)
def test_pairs_are_mixed_by_a_gated_beta_for_each_sample(recipe, pairing):
    made = recipe()
    assert made.pairing == pairing
    assert made.coefficient == GatedCoefficient(BetaCoefficient(0.15, "sample"), 0.5)
    assert made.temperature == 0.006
    assert "views" in made.needs


def test_samples_are_mixed_and_views_are_not():
    recipe = BiMixCo(alpha=1.0, probability=1.0)
    before = VOXELS.clone(), IMAGES.clone()
    mixed, target = recipe(VOXELS, IMAGES)
    assert isinstance(target, ContrastiveTarget)
    assert target.keys is IMAGES
    lam = target.lam[:, None]
    torch.testing.assert_close(mixed, lam * VOXELS + (1 - lam) * VOXELS[target.b])
    mixed.zero_()  # reference codes mix in place, and mix a fixed side by a view of it
    assert torch.equal(VOXELS, before[0])
    assert torch.equal(IMAGES, before[1])


def test_about_half_of_the_samples_are_mixed():
    cursor, recipe = StreamCursor(Streams(1)), MixCo()
    plans = [recipe.plan(recipe.draw(cursor, 32, step=step), torch.zeros(32, 2)) for step in range(60)]
    share = torch.stack([plan.lam == 1 for plan in plans]).float().mean()
    # Beta(0.15, 0.15) itself rounds to 1 in float32 for about 4 % of the mixed half.
    assert float(share) == pytest.approx(0.5 + 0.5 * 0.04, abs=0.05)


def test_mixco_is_the_first_half_of_bimixco():
    queries = torch.randn(8, 4)
    rows = MixCo(temperature=0.1)
    plan = rows.plan(rows.draw(Streams(1), 8), IMAGES)
    forward = rows.target(plan, IMAGES).cross_entropy(queries)
    both = BiMixCo(temperature=0.1).target(plan, IMAGES)
    assert rows.target(plan, IMAGES).direction == "forward"
    backward = 2 * both.cross_entropy(queries) - forward
    similarity = both.similarity(queries)
    expected = -(both.soft(8).T * similarity.T.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(backward, expected)


@pytest.mark.parametrize("recipe", [MixCo, BiMixCo, GroupedMixCo])
def test_off_every_sample_has_to_find_its_own_view(recipe):
    same, target = recipe(temperature=0.1).unmixed(VOXELS, IMAGES)
    assert same is VOXELS
    assert torch.equal(target.soft(8), torch.eye(8))
    assert target.cross_entropy(10 * IMAGES) < target.cross_entropy(IMAGES.roll(1, 0))


def test_the_objective_is_the_targets_loss_of_the_models_queries():
    recipe, encoder = BiMixCo(temperature=0.1), nn.Linear(9, 4)
    plan = recipe.plan(recipe.draw(Streams(1), 8), IMAGES)
    expected = recipe.target(plan, IMAGES).cross_entropy(encoder(recipe.apply(plan, VOXELS)))
    assert recipe.objective(encoder, VOXELS, IMAGES, plan) == expected


def test_partners_have_the_same_group_and_targets_lie_on_their_columns_of_the_whole_batch():
    # A reference code joins the groups' own permutations without offsets: every group but the first then puts its mass
    # on samples of the first.
    group = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    recipe = GroupedMixCo(probability=1.0)
    for step in range(20):
        plan = recipe.plan(recipe.draw(Streams(1), 8, step=step), IMAGES, domain=group)
        rows = recipe.target(plan, IMAGES).soft(8)
        torch.testing.assert_close(rows.sum(1), torch.ones(8))
        for i in range(8):
            assert set(rows[i].nonzero()[:, 0].tolist()) <= {i, int(plan.partner[i])}
        assert rows[:4, 4:].sum() == rows[4:, :4].sum() == 0
    assert (plan.partner[4:] >= 4).all()


def test_groups_may_be_interleaved_and_padded_inputs_stay_padded():
    group = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])
    voxels = VOXELS.clone()
    voxels[group == 1, 6:] = 0  # the second subject has six voxels
    mixed, target = GroupedMixCo(probability=1.0)(voxels, IMAGES, domain=group)
    assert (mixed[group == 1, 6:] == 0).all()
    assert torch.equal(group[target.b], group)


def test_softclip_mixes_nothing_and_has_its_own_target():
    recipe = SoftCLIP(0.1)
    assert recipe.pairing == SelfPairing()
    same, target = recipe(VOXELS, IMAGES)
    assert torch.equal(same, VOXELS)
    assert isinstance(target, SoftClipTarget)
    off, off_target = recipe.unmixed(VOXELS, IMAGES)
    assert off is VOXELS
    queries = torch.randn(8, 4)
    assert off_target.cross_entropy(queries) == target.cross_entropy(queries)


def test_a_phase_of_bimixco_and_one_of_softclip_train_one_encoder():
    torch.manual_seed(0)
    encoder, hidden = nn.Linear(9, 4), torch.randn(64, 4)
    voxels, images = hidden @ torch.randn(4, 9), hidden + 0.05 * torch.randn(64, 4)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.05)
    first = (
        SoftCLIP(0.1).target(SoftCLIP().plan(SoftCLIP().draw(Streams(), 64), images), images).accuracy(encoder(voxels))
    )
    for epoch in range(60):
        recipe = BiMixCo(temperature=0.1) if epoch < int(0.33 * 60) else SoftCLIP(temperature=0.1)
        x, target = recipe(voxels, images)
        optimizer.zero_grad()
        target.cross_entropy(encoder(x)).backward()
        optimizer.step()
    assert target.accuracy(encoder(voxels)) > 0.8 > 0.2 > first


@pytest.mark.parametrize(
    ("fraction", "epochs", "switch"),
    [(0.33, 240, 79), (0.33, 150, 49), (0.33, 25, 8), (0.33, 50, 16), (0.33, 500, 165)],
)
def test_the_switch_after_a_third_of_the_epochs(fraction, epochs, switch):
    from overmix.switch import off_at

    assert off_at(fraction).epoch(epochs) == switch


@pytest.mark.parametrize("recipe", [MixCo, BiMixCo, GroupedMixCo, SoftCLIP])
@pytest.mark.parametrize("temperature", [0, -0.1, float("nan"), float("inf"), "0.1", True])
def test_a_bad_temperature_is_refused(recipe, temperature):
    with pytest.raises(ConfigError, match=r"^temperature = .*: use a number > 0"):
        recipe(temperature=temperature)


def test_labels_that_are_no_views_and_missing_groups_are_refused():
    with pytest.raises(DataError, match=r"must hold the other view of each sample"):
        BiMixCo()(VOXELS, torch.arange(8))
    with pytest.raises(DataError, match=r"^GroupedMixCo needs domain"):
        GroupedMixCo()(VOXELS, IMAGES)
    with pytest.raises(ConfigError, match=r"^probability = 2"):
        MixCo(probability=2)


@pytest.mark.parametrize("recipe", [MixCo, SoftCLIP])
def test_off_it_takes_a_dictionary_of_views_as_it_does_on(recipe):
    views = {"a": IMAGES, "b": 2 * IMAGES}
    for made in (recipe()(VOXELS, views), recipe().unmixed(VOXELS, views)):
        assert {name: target.keys is views[name] for name, target in made[1].items()} == {"a": True, "b": True}


def test_a_loss_that_is_not_for_views_is_refused():
    recipe, encoder = MixCo(), nn.Linear(9, 4)
    alone = recipe.objective(encoder, VOXELS, IMAGES, None)
    assert torch.equal(recipe.objective(encoder, VOXELS, IMAGES, None, Retrieval()), alone)
    with pytest.raises(ConfigError, match=r"^loss = 'SquaredError': leave it out"):
        recipe.objective(encoder, VOXELS, IMAGES, None, SquaredError())
