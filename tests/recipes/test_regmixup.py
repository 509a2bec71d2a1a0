import pytest
import torch
import torch.nn.functional as F
from torch import nn

from overmix.errors import ConfigError, DataError
from overmix.mix import IGNORE_INDEX, BetaCoefficient, MixedTarget, RandomPairing, Streams
from overmix.recipes import Mixup, RegMixup

X, Y = torch.randn(6, 4), torch.tensor([0, 1, 2, 1, 0, 2])


def plan_of(recipe):
    return recipe.plan(recipe.draw(Streams(1), 6), Y)


def test_it_is_random_pairs_and_one_beta_lam_beside_the_clean_batch():
    recipe = RegMixup()
    assert recipe.pairing == RandomPairing()
    assert recipe.coefficient == BetaCoefficient(20.0, "batch")
    assert recipe.needs == {"clean"}


def test_the_batch_holds_the_clean_samples_and_then_what_mixup_makes_of_them():
    recipe, mixup = RegMixup(0.7), Mixup(0.7)
    plan = plan_of(recipe)
    both = recipe.apply(plan, X)
    assert torch.equal(both[:6], X)
    assert torch.equal(both[6:], mixup.apply(plan_of(mixup), X))
    nested = recipe.apply(plan, {"a": X, "b": [X.double()]})
    assert torch.equal(nested["a"], both)
    assert nested["b"][0].shape == (12, 4)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0, 3.0])
def test_the_loss_is_the_weighted_mean_of_both_losses(eta):
    recipe = RegMixup(0.7, eta)
    plan, model = plan_of(recipe), nn.Linear(4, 3)
    target = Mixup().target(plan, Y)
    clean, mixed = F.cross_entropy(model(X), Y), target.cross_entropy(model(Mixup().apply(plan, X)))
    expected = (clean + eta * mixed) / (1 + eta)
    torch.testing.assert_close(recipe.objective(model, X, Y, plan), expected)
    x_both, both = recipe.mix(X, Y, plan)
    torch.testing.assert_close(both.cross_entropy(model(x_both)), expected)


def test_with_equal_weights_it_is_the_mean_over_the_doubled_batch():
    # This is how the authors' code computes it.
    recipe = RegMixup(0.7)
    plan, model = plan_of(recipe), nn.Linear(4, 3)
    x_both, target = recipe.mix(X, Y, plan)
    plain = MixedTarget(target.a, target.b, target.lam).cross_entropy(model(x_both))
    torch.testing.assert_close(target.cross_entropy(model(x_both)), plain)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0, 3.0])
def test_its_floor_is_reached_by_a_model_that_says_both_labels(eta):
    # Each row's own label is what no logits do better than; eta weighs the halves.
    recipe = RegMixup(0.7, eta)
    _, target = recipe.mix(X, Y, plan_of(recipe))
    best = target.soft(3).log().clamp_min(-100)
    torch.testing.assert_close(target.entropy().mean(), target.cross_entropy(best))


def test_weight_zero_is_plain_training_and_lam_one_too():
    model = nn.Linear(4, 3)
    clean = F.cross_entropy(model(X), Y)
    torch.testing.assert_close(RegMixup(eta=0).objective(model, X, Y, plan_of(RegMixup(eta=0))), clean)
    unmixed = RegMixup(alpha=0)
    torch.testing.assert_close(unmixed.objective(model, X, Y, plan_of(unmixed)), clean)


def test_off_the_batch_has_its_own_size_again():
    same, target = RegMixup().unmixed(X, Y)
    assert same is X
    assert type(target) is MixedTarget
    assert len(target.lam) == 6


def test_any_criterion_is_weighted_alike():
    recipe = RegMixup(0.7, eta=2.0)
    values = torch.randn(6)
    plan = plan_of(recipe)
    _, target = recipe.mix(X, values, plan)
    output = torch.randn(12)
    squared = nn.MSELoss(reduction="none")
    clean = (output[:6] - values).square().mean()
    mixed = Mixup().target(plan, values).loss(squared, output[6:])
    torch.testing.assert_close(target.loss(squared, output), (clean + 2 * mixed) / 3)


def test_class_weights_and_ignored_labels_count_in_both_halves():
    recipe, weight = RegMixup(0.7), torch.tensor([1.0, 2.0, 3.0])
    y = Y.clone()
    y[0] = IGNORE_INDEX
    plan, logits = plan_of(recipe), torch.randn(12, 3)
    _, target = recipe.mix(X, y, plan)
    clean = F.cross_entropy(logits[:6], y, weight)
    mixed = Mixup().target(plan, y).cross_entropy(logits[6:], weight)
    torch.testing.assert_close(target.cross_entropy(logits, weight), (clean + mixed) / 2)


def test_weights_of_samples_count_in_both_halves_with_each_sides_own():
    recipe, w = RegMixup(0.7, eta=2.0), torch.rand(6)
    plan, logits = plan_of(recipe), torch.randn(12, 3)
    _, targets = recipe.mix(X, {"class": Y, "weight": w}, plan)
    target, weights = targets["class"], targets["weight"]
    criterion = nn.CrossEntropyLoss(reduction="none")

    def mean(loss_of_clean, loss_of_a, loss_of_b):
        lam, of_partner = plan.lam, w[plan.partner]
        clean = (w * loss_of_clean).sum(), w.sum()
        mixed = lam * w * loss_of_a + (1 - lam) * of_partner * loss_of_b, lam * w + (1 - lam) * of_partner
        return *clean, mixed[0].sum(), mixed[1].sum()

    clean, of_clean, mixed, of_mixed = mean(
        criterion(logits[:6], Y), criterion(logits[6:], Y), criterion(logits[6:], Y[plan.partner])
    )
    expected = (clean / of_clean + 2 * mixed / of_mixed) / 3
    torch.testing.assert_close(target.cross_entropy(logits, sample_weight=weights), expected)
    torch.testing.assert_close(target.loss(criterion, logits, sample_weight=weights), expected)
    hits = [(logits[rows].argmax(1) == y).float() for rows, y in ((slice(6), Y), (slice(6, 12), Y))]
    clean, of_clean, mixed, of_mixed = mean(*hits, (logits[6:].argmax(1) == Y[plan.partner]).float())
    torch.testing.assert_close(target.accuracy(logits, sample_weight=weights), (clean + mixed) / (of_clean + of_mixed))


def test_weights_of_mixtures_are_those_of_samples_and_of_their_mixtures():
    logits, w = torch.randn(12, 3), torch.rand(6)
    _, target = RegMixup(0.7)(X, Y)
    clean, mixed = (half.accuracy(z, sample_weight=w) for half, z in zip(target.halves(), logits.chunk(2), strict=True))
    torch.testing.assert_close(target.accuracy(logits, sample_weight=w), (clean + mixed) / 2)
    for call in (target.accuracy, target.cross_entropy):
        with pytest.raises(ConfigError, match=r"^sample_weight = \(5,\): give one for each sample, shape \(6,\)"):
            call(logits, sample_weight=w[:5])
        assert call(logits, sample_weight=torch.full((6,), torch.nan)).isnan()


def test_an_output_for_half_of_the_batch_is_refused():
    _, target = RegMixup()(X, Y)
    with pytest.raises(DataError, match="output has 6 rows, but the batch holds 12"):
        target.cross_entropy(torch.randn(6, 3))


def test_the_target_keeps_its_weight_when_it_moves():
    _, target = RegMixup(eta=0.3)(X, Y)
    assert target.to("meta").eta == 0.3


@pytest.mark.parametrize("eta", [-1, float("nan"), float("inf"), "1", True])
def test_a_bad_weight_is_refused(eta):
    with pytest.raises(ConfigError, match=r"^eta = "):
        RegMixup(eta=eta)
